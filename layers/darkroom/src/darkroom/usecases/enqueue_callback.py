"""Put what a receiver is to be told into the outbox, and have it delivered at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from darkroom.domain.callbacks import Delivery, event_of
from darkroom.domain.errors import InvokeRefused
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.ports import Clock, DelivererInvoker, Outbox


class Describe(Protocol):
    """The body of a message."""

    def __call__(self, event: CallbackEvent, job: Job, at: int) -> str:
        """`event` of `job` at that time, in epoch milliseconds."""


@dataclass(frozen=True, kw_only=True)
class EnqueueCallback:
    """Answers the delivery; None when there is nothing to tell. Safe when a change is heard of again."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock
    describe: Describe

    def __call__(self, old: Job | None, new: Job) -> Delivery | None:
        event = event_of(old, new)
        receiver = new.receiver
        if receiver is None or event is None or event not in receiver.events:
            return None
        now = self.clock()
        delivery = Delivery(
            case_id=new.case_id,
            job_id=new.job_id,
            version=new.version,
            event=event,
            url=receiver.url,
            caller=new.caller,
            body=self.describe(event, new, now),
            created_at=now,
            due_at=now,
        )
        if self.outbox.add(delivery):
            hand_over(self.deliverers.invoke, delivery.key)
        return delivery


def hand_over(invoke: Callable[[str, str, int], None], key: tuple[str, str, int]) -> bool:
    """Have it delivered; False when nobody could be asked: it stays due, and the sweeper asks again."""
    try:
        invoke(*key)
    except InvokeRefused:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class RedeliverCallbacks:
    """Has at most `limit` deliveries tried that are due; answers how many. Bounded work, safe to overlap."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock
    limit: int

    def __call__(self) -> int:
        due = self.outbox.due(self.clock(), self.limit)
        return sum(hand_over(self.deliverers.invoke, key) for key in due)
