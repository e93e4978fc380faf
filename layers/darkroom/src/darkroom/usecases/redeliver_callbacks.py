"""Start deliverers for the deliveries that are due."""

from dataclasses import dataclass

from darkroom.ports import Clock, DelivererInvoker, Outbox
from darkroom.usecases.start_deliverer import start_deliverer


@dataclass(frozen=True, kw_only=True)
class RedeliverCallbacks:
    """The repetition of deliveries. Two calls may overlap."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock
    limit: int

    def __call__(self) -> int:
        """Start a deliverer for each of at most `limit` due deliveries; return the number started."""
        due = self.outbox.due(self.clock(), self.limit)
        return sum(start_deliverer(self.deliverers, key) for key in due)
