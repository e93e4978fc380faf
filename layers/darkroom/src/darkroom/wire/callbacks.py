"""What receivers of callbacks are sent, and what callers see of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from darkroom.domain.callbacks import Delivery, DeliveryState
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.wire.job import JobView
from darkroom.wire.model import Internal, Wire, dump


class CallbackMessage(Wire):
    """What a receiver is sent: a snapshot. Of two the one with the higher `data.version` is the newer."""

    type: CallbackEvent
    timestamp: str
    data: JobView

    @classmethod
    def body(cls, event: CallbackEvent, job: Job, at: int, image: Callable[[str], str]) -> str:
        """The message as JSON; `at` in epoch milliseconds."""
        timestamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
        return dump(cls(type=event, timestamp=timestamp, data=JobView.of(job, image)))


class DeliveryOrder(Internal):
    """What a deliverer is invoked with."""

    case_id: str
    job_id: str
    version: int


class DeliveryView(Wire):
    """A delivery, as its caller sees it. Times are epoch milliseconds."""

    version: int
    event: CallbackEvent
    url: str
    state: DeliveryState
    attempts: int
    created_at: int
    due_at: int | None = None
    last_status: int | None = None
    last_error: str | None = None
    milliseconds: int | None = None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """`delivery` without its body."""
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
        """As callers see them."""
        views = [DeliveryView.of(delivery) for delivery in deliveries]
        return cls(case_id=job.case_id, job_id=job.job_id, deliveries=views)


class CallbackSecretView(Wire):
    """What the asking caller verifies its callbacks with; several while it is being rotated."""

    secrets: list[str]
