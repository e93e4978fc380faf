"""Hedging: decide when a shot is so late that another request is sent for it.

Latencies of image models are close to log-normal, so two numbers describe them. What a worker has seen is
weighed against a configured prior: at first the prior decides, later the worker's own latencies.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_Z95 = 1.6449
"""The 95th percentile of a standard normal distribution."""

_Z_BY_UNFINISHED = {1: 0.8, 2: 1.5}
"""The last two shots of a run count as late sooner, after p79 and p93, because everybody waits for them."""

_Z_FAILED = 0.0
"""A shot that has failed once counts as late after the median, because it is behind all others."""


@dataclass(frozen=True, kw_only=True)
class HedgePolicy:
    """Latency that is expected before any was seen, in seconds. Invalid numbers raise ValueError."""

    prior_median: float = 8.0
    prior_p95: float = 20.0
    prior_weight: int = 20
    """Weight of the prior, as a number of seen latencies."""

    def __post_init__(self) -> None:
        if not (0 < self.prior_median < self.prior_p95 and self.prior_weight > 0):
            raise ValueError("the latencies must be 0 < prior_median < prior_p95")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """A log-normal distribution of seconds."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """Latency that half of all requests stay below."""
        return math.exp(self.mu)

    def late_after(self, unfinished: int, *, failed: bool) -> float:
        """Return the seconds after which a shot is late, while `unfinished` shots of the run have no end.

        The last two shots are late sooner, and so is one that has failed.
        """
        z = min(_Z_BY_UNFINISHED.get(unfinished, _Z95), _Z_FAILED if failed else _Z95)
        return math.exp(self.mu + z * self.sigma)


def learned(seen: Iterable[float], policy: HedgePolicy) -> Latency:
    """Return the distribution of the latencies seen, mixed with the prior."""
    logs = [math.log(max(seconds, 1e-6)) for seconds in seen]
    mu = math.log(policy.prior_median)
    sigma = math.log(policy.prior_p95 / policy.prior_median) / _Z95
    prior_weight = policy.prior_weight
    weight = prior_weight + len(logs)
    mean = (prior_weight * mu + sum(logs)) / weight
    spread = prior_weight * (sigma**2 + (mu - mean) ** 2) + sum((x - mean) ** 2 for x in logs)
    return Latency(mu=mean, sigma=math.sqrt(spread / weight))
