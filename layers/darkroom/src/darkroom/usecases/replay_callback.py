"""Send a delivery again, on the caller's word."""

from dataclasses import dataclass

from darkroom.domain.callbacks import Delivery
from darkroom.domain.job import Job
from darkroom.ports import Clock, DelivererInvoker, Outbox
from darkroom.usecases.enqueue_callback import hand_over


@dataclass(frozen=True, kw_only=True)
class ReplayCallback:
    """Answers the delivery, due again. Raises DeliveryNotFound, Contention."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock

    def __call__(self, job: Job, version: int) -> Delivery:
        delivery = self.outbox.get(job.case_id, job.job_id, version)
        again = delivery.requeue(self.clock())
        self.outbox.save(again, over=delivery)
        hand_over(self.deliverers.invoke, again.key)
        return again
