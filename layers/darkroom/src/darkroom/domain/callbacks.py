"""Callbacks: which event a change of a job is, and when a delivery is attempted again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from darkroom.domain.job import Job, Status
from darkroom.domain.receivers import CallbackEvent
from darkroom.domain.words import Unknown

LEASE_MS = 60_000
"""Milliseconds for which a started attempt keeps everybody else from attempting the same delivery."""

SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds to wait after each failed attempt, as Standard Webhooks recommends. Then it is given up."""

_LONGEST_S = 86_400
_GONE = 410


_EVENTS: Mapping[Status, CallbackEvent] = {
    Status.GENERATING: CallbackEvent.GENERATING,
    Status.COMPLETED: CallbackEvent.COMPLETED,
    Status.PARTIAL: CallbackEvent.PARTIAL,
    Status.FAILED: CallbackEvent.FAILED,
    Status.CANCELLED: CallbackEvent.CANCELLED,
}


def event_of(old: Job | None, new: Job) -> CallbackEvent | None:
    """Return the event to send for the change from `old` to `new`; None when there is none."""
    if old is None or new.status is not old.status:
        return _EVENTS.get(new.status)
    if new.settled == old.settled:
        return None
    # The last snapshot of a cancelled job's worker may bring pictures: the receiver gets them too.
    return CallbackEvent.PROGRESS if new.is_open else _EVENTS[new.status]


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GONE = "gone"
    """The receiver returned 410: it wants no more callbacks of this job."""
    GIVEN_UP = "given_up"


@dataclass(frozen=True, kw_only=True)
class ReceiverResponse:
    """The status that a receiver returned, or the reason why there is none."""

    status: int | None = None
    error: str | None = None
    retry_after_s: int | None = None

    @property
    def is_success(self) -> bool:
        """True if the receiver has accepted the message."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event to one receiver. Times are epoch milliseconds."""

    case_id: str
    job_id: str
    version: int
    """Version of the job in `body`."""
    event: CallbackEvent | str
    url: str
    caller: str
    body: str
    created_at: int
    due_at: int | None
    """Time of the next attempt; None when there will be none."""
    state: DeliveryState | str = DeliveryState.PENDING
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    milliseconds: int | None = None
    """Duration of the last attempt."""
    unknown: Unknown = field(default_factory=dict)
    """Stored attributes that this release does not know."""

    @property
    def key(self) -> tuple[str, str, int]:
        """Case id, job id and version: what identifies the delivery."""
        return self.case_id, self.job_id, self.version

    @property
    def message_id(self) -> str:
        """Id of the message, the same at every attempt, so that a receiver recognises a repetition."""
        return f"{self.job_id}-{self.version}"

    @property
    def is_spent(self) -> bool:
        """True if every attempt of the schedule has been made."""
        return self.attempts > len(SCHEDULE_S)

    def is_due(self, now: int) -> bool:
        """Return True if the next attempt is due."""
        return self.due_at is not None and self.due_at <= now

    def start_attempt(self, now: int) -> "Delivery":
        """Return the delivery with one more attempt, counted before it is made.

        An attempt whose process dies counts as failed: the next one is due as after any other failure.
        """
        started = replace(self, attempts=self.attempts + 1)
        wait = 0 if started.is_spent else SCHEDULE_S[self.attempts] * 1000
        return replace(started, due_at=now + max(LEASE_MS, wait))

    def record_attempt(self, response: ReceiverResponse, *, now: int, milliseconds: int) -> "Delivery":
        """Return the delivery after an attempt that brought `response`."""
        recorded = replace(
            self,
            last_status=response.status,
            last_error=response.error,
            milliseconds=milliseconds,
            due_at=None,
        )
        if response.is_success:
            return replace(recorded, state=DeliveryState.DELIVERED)
        if response.status == _GONE:
            return replace(recorded, state=DeliveryState.GONE)
        if self.is_spent:
            return replace(recorded, state=DeliveryState.GIVEN_UP)
        wait = max(SCHEDULE_S[self.attempts - 1], min(response.retry_after_s or 0, _LONGEST_S))
        return replace(recorded, due_at=now + wait * 1000)

    def give_up(self) -> "Delivery":
        """Return the delivery given up, because the process of its last attempt died."""
        return replace(
            self,
            state=DeliveryState.GIVEN_UP,
            last_status=None,
            last_error="the attempt never ended",
            due_at=None,
        )

    def requeue(self, now: int) -> "Delivery":
        """Return the delivery as if it were new, whatever became of it. A caller asked for that."""
        return replace(self, state=DeliveryState.PENDING, attempts=0, due_at=now)
