"""Store the callback for a change of a job in the outbox, and start its delivery."""

from dataclasses import dataclass
from typing import Protocol

from darkroom.domain.callbacks import Delivery, event_of
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.ports import Clock, DelivererInvoker, Outbox
from darkroom.usecases.start_deliverer import start_deliverer


class WriteBody(Protocol):
    """Write the body of a callback."""

    def __call__(self, event: CallbackEvent, job: Job, at: int) -> str:
        """Return the message for `event` of `job` at that time, in epoch milliseconds."""


@dataclass(frozen=True, kw_only=True)
class EnqueueCallback:
    """The way of a job's change into the outbox. The same change may come twice."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock
    write_body: WriteBody

    def __call__(self, old: Job | None, new: Job) -> Delivery | None:
        """Store the delivery and return it; None when the receiver wants none or it was stored before."""
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
            body=self.write_body(event, new, now),
            created_at=now,
            due_at=now,
        )
        if self.outbox.add(delivery):
            start_deliverer(self.deliverers, delivery.key)
        return delivery
