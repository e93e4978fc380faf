"""Attempt a delivery: send its callback once and store the result."""

from contextlib import suppress
from dataclasses import dataclass

from darkroom.domain.callbacks import Delivery, DeliveryState, ReceiverResponse
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.ports import CallbackSender, Clock, Outbox

_GONE = ReceiverResponse(status=410)


@dataclass(frozen=True, kw_only=True)
class DeliverCallback:
    """The sending of one callback. A receiver that returned 410 for a job is sent no other of that job.

    Any error of an attempt is a failed attempt, so each delivery ends after the attempts of its schedule.
    """

    outbox: Outbox
    sender: CallbackSender
    clock: Clock

    def __call__(self, case_id: str, job_id: str, version: int) -> Delivery | None:
        """Return the delivery after an attempt; None if none was due, or another deliverer makes it."""
        try:
            delivery = self.outbox.get(case_id, job_id, version)
        except DeliveryNotFound:
            return None
        now = self.clock()
        if not delivery.is_due(now):
            return None
        started = delivery.give_up() if delivery.is_spent else delivery.start_attempt(now)
        try:
            self.outbox.save(started, over=delivery)
        except Contention:
            return None
        return started if delivery.is_spent else self._attempt(started, now)

    def _attempt(self, started: Delivery, now: int) -> Delivery:
        response = _GONE if self.outbox.is_gone(started) else self._send(started)
        ended_at = self.clock()
        ended = started.record_attempt(response, now=ended_at, milliseconds=ended_at - now)
        if ended.state is DeliveryState.GONE:
            self.outbox.set_gone(ended)
        with suppress(Contention):  # a caller has requeued it meanwhile: that attempt decides
            self.outbox.save(ended, over=started)
        return ended

    def _send(self, delivery: Delivery) -> ReceiverResponse:
        """Send once; an unexpected error counts as a failed attempt."""
        try:
            return self.sender.send(delivery)
        except Exception as error:  # noqa: BLE001 - else it would be attempted for ever
            return ReceiverResponse(error=type(error).__name__)
