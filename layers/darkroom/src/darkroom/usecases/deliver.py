"""Try a delivery: once at a time, by whoever comes first."""

from dataclasses import dataclass

from darkroom.domain.callbacks import Answer, Delivery, DeliveryState
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.ports import CallbackSender, Clock, Outbox


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """Answers the delivery after the try; None when there was nothing to try. Safe when asked twice.

    A receiver that has answered 410 to one delivery of a job is sent none of the others.
    """

    outbox: Outbox
    sender: CallbackSender
    clock: Clock

    def __call__(self, case_id: str, job_id: str, version: int) -> Delivery | None:
        try:
            delivery = self.outbox.get(case_id, job_id, version)
        except DeliveryNotFound:
            return None
        now = self.clock()
        if not delivery.is_due(now):
            return None
        begun = delivery.begun(now)
        try:
            self.outbox.save(begun, over=delivery)
        except Contention:
            return None
        answer = Answer(status=410) if self.outbox.is_gone(delivery) else self.sender.send(begun)
        ended_at = self.clock()
        ended = begun.ended(answer, now=ended_at, milliseconds=ended_at - now)
        if ended.state is DeliveryState.GONE:
            self.outbox.set_gone(ended)
        self.outbox.save(ended, over=begun)
        return ended
