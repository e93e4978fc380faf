"""Try a delivery: once at a time, by whoever comes first."""

from contextlib import suppress
from dataclasses import dataclass

from darkroom.domain.callbacks import Delivery, DeliveryState, ReceiverResponse
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.ports import CallbackSender, Clock, Outbox


@dataclass(frozen=True, kw_only=True)
class DeliverCallback:
    """Answers the delivery after the try; None when there was nothing to try. Safe when asked twice.

    Whatever goes wrong in a try is a failed try, so each delivery ends after as many as its schedule has.
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
        begun = delivery.given_up() if delivery.is_spent else delivery.start_attempt(now)
        try:
            self.outbox.save(begun, over=delivery)
        except Contention:
            return None
        if delivery.is_spent:
            return begun
        answer = ReceiverResponse(status=410) if self.outbox.is_gone(delivery) else self._send(begun)
        ended_at = self.clock()
        ended = begun.record_attempt(answer, now=ended_at, milliseconds=ended_at - now)
        if ended.state is DeliveryState.GONE:
            self.outbox.set_gone(ended)
        with suppress(Contention):  # replayed meanwhile: that try decides
            self.outbox.save(ended, over=begun)
        return ended

    def _send(self, delivery: Delivery) -> ReceiverResponse:
        """Return what came of one try, an error of ours included."""
        try:
            return self.sender.send(delivery)
        except Exception as error:  # noqa: BLE001 - else it would be tried for ever
            return ReceiverResponse(error=type(error).__name__)
