"""Callbacks: the message to a receiver, and the deliveries as callers see them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import Field

from darkroom.domain.callbacks import Delivery, DeliveryState
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.wire.job import JobView
from darkroom.wire.model import Internal, Wire, dump


class CallbackMessage(Wire):
    """The message to a receiver: the whole job. A higher `data.version` is a newer state."""

    type: CallbackEvent
    timestamp: str
    data: JobView

    @classmethod
    def body(cls, event: CallbackEvent, job: Job, at: int, image: Callable[[str], str]) -> str:
        """Return the message as JSON. `at` is its time in epoch milliseconds."""
        timestamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
        return dump(cls(type=event, timestamp=timestamp, data=JobView.of(job, image)))


class DeliveryOrder(Internal):
    """The event with which a deliverer is invoked."""

    case_id: str
    job_id: str
    version: int


EventWord = Annotated[str, Field(json_schema_extra={"enum": [*CallbackEvent]})]
StateWord = Annotated[str, Field(json_schema_extra={"enum": [*DeliveryState]})]
# The enums are for the description only: words of a newer release are shown too.


class DeliveryView(Wire):
    """A delivery, as callers see it. Times are epoch milliseconds."""

    version: int
    event: EventWord
    url: str
    state: StateWord
    attempts: int
    created_at: int
    due_at: int | None = None
    last_status: int | None = None
    last_error: str | None = None
    milliseconds: int | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return the view of `delivery`, without its body."""
        return cls(
            version=delivery.version,
            event=delivery.event,
            url=delivery.url,
            state=delivery.state,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            due_at=delivery.due_at,
            last_status=delivery.last_status,
            last_error=delivery.last_error,
            milliseconds=delivery.milliseconds,
        )


class DeliveriesView(Wire):
    """The latest deliveries of a job."""

    case_id: str
    job_id: str
    deliveries: list[DeliveryView]

    @classmethod
    def of(cls, job: Job, deliveries: Sequence[Delivery]) -> Self:
        """Return the view of the `deliveries` of `job`."""
        views = [DeliveryView.of(delivery) for delivery in deliveries]
        return cls(case_id=job.case_id, job_id=job.job_id, deliveries=views)


class CallbackSecretView(Wire):
    """The secrets with which a caller verifies its callbacks. There are several during a rotation."""

    secrets: list[str]
