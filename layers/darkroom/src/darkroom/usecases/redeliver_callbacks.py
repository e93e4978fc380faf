"""Start deliverers for the deliveries that are due."""

from dataclasses import dataclass

from darkroom.ports import Clock, DelivererInvoker, Outbox
from darkroom.usecases.start_deliverer import start_deliverer


@dataclass(frozen=True, kw_only=True)
class RedeliverCallbacks:
    """Start at most `limit` deliverers and return their number. Two calls may overlap."""

    outbox: Outbox
    deliverers: DelivererInvoker
    clock: Clock
    limit: int

    def __call__(self) -> int:
        due = self.outbox.due(self.clock(), self.limit)
        return sum(start_deliverer(self.deliverers, key) for key in due)
