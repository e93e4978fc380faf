"""The measurements of one case."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The measurements of one case. Times are seconds since the claim, money is micro-USD."""

    seen: list[float]
    """Times at which each picture was reported."""
    ended: float
    """Time at which the run had ended."""
    requests: int = 0
    throttled: int = 0
    cpu: float = 0.0
    cost: int = 0
    wasted: int = 0

    @property
    def first(self) -> float:
        """Time at which the first picture was reported."""
        return min(self.seen, default=self.ended)

    @property
    def mean(self) -> float:
        """Mean time at which a picture was reported."""
        return sum(self.seen) / len(self.seen) if self.seen else self.ended
