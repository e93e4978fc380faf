"""What a caller's receiver is told of a job, and when a delivery is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from darkroom.domain.job import Job, Status
from darkroom.domain.receivers import CallbackEvent

LEASE_MS = 60_000
"""So long nobody else tries a delivery that somebody has begun to try."""

SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The waits after each failed try, as Standard Webhooks recommends; after the last one it is given up."""

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
    """What the change from `old` to `new` is to a receiver; None when it is nothing to it."""
    if old is None or new.status is not old.status:
        return _EVENTS.get(new.status)
    if new.settled == old.settled:
        return None
    # A cancelled job's worker has said its last word: the receiver hears of the pictures it still made.
    return CallbackEvent.PROGRESS if new.is_open else _EVENTS[new.status]


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    GONE = "gone"
    """The receiver answered 410: it wants no more of this job."""
    GIVEN_UP = "given_up"


@dataclass(frozen=True, kw_only=True)
class ReceiverResponse:
    """What a receiver answered, or why there was no answer."""

    status: int | None = None
    error: str | None = None
    retry_after_s: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One event to one receiver; times are epoch milliseconds."""

    case_id: str
    job_id: str
    version: int
    """Of the job that it tells of."""
    event: CallbackEvent
    url: str
    caller: str
    body: str
    created_at: int
    due_at: int | None
    """When it is to be tried; None when it is not any more."""
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    milliseconds: int | None = None
    """How long the last try took."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is found by."""
        return self.case_id, self.job_id, self.version

    @property
    def message_id(self) -> str:
        """The same on every try, so that a receiver knows a repetition."""
        return f"{self.job_id}-{self.version}"

    def is_due(self, now: int) -> bool:
        """Whether it is to be tried now."""
        return self.due_at is not None and self.due_at <= now

    def start_attempt(self, now: int) -> "Delivery":
        """Return it with one more try, counted before it is made.

        Somebody who dies while trying has failed: the next try is due as after any other failure.
        """
        begun = replace(self, attempts=self.attempts + 1)
        wait = 0 if begun.is_spent else SCHEDULE_S[self.attempts] * 1000
        return replace(begun, due_at=now + max(LEASE_MS, wait))

    @property
    def is_spent(self) -> bool:
        """Whether every try has been made."""
        return self.attempts > len(SCHEDULE_S)

    def given_up(self) -> "Delivery":
        """Return it as it stands after its last try, which never ended."""
        return replace(
            self,
            state=DeliveryState.GIVEN_UP,
            last_status=None,
            last_error="the try never ended",
            due_at=None,
        )

    def record_attempt(self, answer: ReceiverResponse, *, now: int, milliseconds: int) -> "Delivery":
        """A try has ended so."""
        known = replace(
            self, last_status=answer.status, last_error=answer.error, milliseconds=milliseconds, due_at=None
        )
        if answer.is_good:
            return replace(known, state=DeliveryState.DELIVERED)
        if answer.status == _GONE:
            return replace(known, state=DeliveryState.GONE)
        if self.is_spent:
            return replace(known, state=DeliveryState.GIVEN_UP)
        wait = max(SCHEDULE_S[self.attempts - 1], min(answer.retry_after_s or 0, _LONGEST_S))
        return replace(known, due_at=now + wait * 1000)

    def requeue(self, now: int) -> "Delivery":
        """On the caller's word it is tried anew, whatever became of it."""
        return replace(self, state=DeliveryState.PENDING, attempts=0, due_at=now)
