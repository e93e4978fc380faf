"""An image model: its provider, limits and price, and how long its requests take."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from darkroom.domain.hedging import HedgePolicy, Latency, learned
from darkroom.domain.quota import Limits
from darkroom.ports import ImageProvider

MEMORY = 50
"""Number of latest latencies that count. Few enough, so that a change of speed is soon seen."""


@dataclass(kw_only=True)
class Latencies:
    """Latencies of one image model in seconds, over all runs that this worker has served."""

    policy: HedgePolicy
    seen: deque[float] = field(default_factory=lambda: deque(maxlen=MEMORY))

    @property
    def learned(self) -> Latency:
        """Distribution of a request's latency."""
        return learned(self.seen, self.policy)


@dataclass(frozen=True, kw_only=True)
class ImageModel:
    """A model of a provider, which pictures are requested from."""

    name: str
    """Provider and model, as `provider/model`. The quota is stored under this name."""
    provider: ImageProvider
    limits: Limits
    price_micro_usd: int
    latencies: Latencies
    day_until: Callable[[int], int]
    """Return the end of the provider's day that holds the given time, both in epoch milliseconds."""

    @property
    def model_id(self) -> str:
        """Name of the model without its provider."""
        return self.name.partition("/")[2]
