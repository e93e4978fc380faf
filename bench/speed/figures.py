"""What is measured of one case."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one case; seconds since the worker was allowed to begin, money in micro-USD."""

    seen: list[float]
    """When each picture was reported."""
    ended: float
    """When nothing was going on any more."""
    requests: int = 0
    throttled: int = 0
    cpu: float = 0.0
    cost: int = 0
    wasted: int = 0

    @property
    def first(self) -> float:
        """When the first picture could be seen."""
        return min(self.seen, default=self.ended)

    @property
    def mean(self) -> float:
        """When a picture could be seen, on average."""
        return sum(self.seen) / len(self.seen) if self.seen else self.ended
