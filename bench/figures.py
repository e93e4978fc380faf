"""What is measured of one case, and what many of them come to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one case; seconds since the worker was allowed to begin."""

    seen: list[float]
    """When each picture was reported."""
    ended: float
    """When nothing was going on any more."""
    requests: int
    throttled: int
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0

    @property
    def first(self) -> float:
        """When the first picture could be seen."""
        return min(self.seen, default=self.ended)

    @property
    def mean(self) -> float:
        """When a picture could be seen, on average."""
        return sum(self.seen) / len(self.seen) if self.seen else self.ended
