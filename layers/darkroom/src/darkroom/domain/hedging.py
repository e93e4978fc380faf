"""When a request is late enough to send a second one for the same shot.

Latencies of image models are close to log-normal, so two numbers describe them. What a worker has
seen is weighed against a configured prior: at first the prior decides, later the worker's own.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_Z95 = 1.6449
"""The 95th percentile of a standard normal distribution."""

_Z_BY_UNFINISHED = {1: 0.8, 2: 1.5}
"""The last two shots of a run, for which everybody waits, are late sooner: after p79 and p93."""

_Z_FAILED = 0.0
"""A shot that has failed once is behind all others: it is late after the median."""


@dataclass(frozen=True, kw_only=True)
class HedgePolicy:
    """Seconds, and a share: at most so many extra requests a shot of the run. 0 is off."""

    share: float = 0.5
    prior_median: float = 8.0
    prior_p95: float = 20.0
    prior_weight: int = 20
    """The prior counts as so many latencies."""

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 10 and 0 < self.prior_median < self.prior_p95 and self.prior_weight > 0):
            raise ValueError("share must be 0 to 10, and 0 < prior_median < prior_p95")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """A log-normal distribution of seconds."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """Half of all pictures come sooner."""
        return math.exp(self.mu)

    def late_after(self, unfinished: int, *, failed: bool) -> float:
        """When a shot is late, while so many of the run have no picture yet; sooner if it has failed."""
        z = min(_Z_BY_UNFINISHED.get(unfinished, _Z95), _Z_FAILED if failed else _Z95)
        return math.exp(self.mu + z * self.sigma)


def learned(seen: Iterable[float], policy: HedgePolicy) -> Latency:
    """The latency that explains what was seen; without any, the prior."""
    logs = [math.log(max(seconds, 1e-6)) for seconds in seen]
    mu, weight = math.log(policy.prior_median), policy.prior_weight
    sigma = math.log(policy.prior_p95 / policy.prior_median) / _Z95
    mean = (weight * mu + sum(logs)) / (weight + len(logs))
    variance = (weight * (sigma**2 + (mu - mean) ** 2) + sum((x - mean) ** 2 for x in logs)) / (
        weight + len(logs)
    )
    return Latency(mu=mean, sigma=math.sqrt(variance))
