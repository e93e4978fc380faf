"""Send a delivery again because its caller asked for it."""

from dataclasses import dataclass

from darkroom.domain.callbacks import Delivery
from darkroom.domain.job import Job
from darkroom.ports import Clock, DelivererInvoker, Outbox
from darkroom.usecases.start_deliverer import start_deliverer


@dataclass(frozen=True, kw_only=True)
class ReplayCallback:
    """The caller's wish for another delivery of the same callback."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock

    def __call__(self, job: Job, version: int) -> Delivery:
        """Make the delivery due now and return it; raise DeliveryNotFound or Contention."""
        delivery = self.outbox.get(job.case_id, job.job_id, version)
        requeued = delivery.requeue(self.clock())
        self.outbox.save(requeued, over=delivery)
        start_deliverer(self.deliverers, requeued.key)
        return requeued
