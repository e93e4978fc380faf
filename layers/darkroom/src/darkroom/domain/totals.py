"""The counts of a span of time, and what they say."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.histogram import percentile
from darkroom.domain.tally import Count

HOUR = 3_600_000
STEP = 300_000
"""Milliseconds: the short buckets, of which a window of one hour is made. The others are of hours."""


class Window(StrEnum):
    """The span up to now; whole buckets, so up to one bucket longer than its name."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def step(self) -> int:
        """How long its buckets are, in milliseconds."""
        return STEP if self is Window.HOUR else HOUR

    def buckets(self, now: int) -> range:
        """When its buckets begin, in epoch milliseconds; the last one holds `now`."""
        spans = {Window.HOUR: HOUR, Window.DAY: 24 * HOUR, Window.WEEK: 168 * HOUR}
        last = now - now % self.step
        return range(last - spans[self], last + 1, self.step)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Durations in milliseconds, by bucket of the histogram."""

    counts: Counter[Count] = field(default_factory=Counter)
    generation: Counter[int] = field(default_factory=Counter)
    webhook: Counter[int] = field(default_factory=Counter)

    @property
    def success_rate(self) -> float | None:
        """The share of the pictures decided on that were made; None when none was."""
        return self._share(Count.COMPLETED)

    @property
    def failure_rate(self) -> float | None:
        """The share of them that failed, refusals not among these."""
        return self._share(Count.FAILED)

    def _share(self, count: Count) -> float | None:
        decided = sum(self.counts[c] for c in (Count.COMPLETED, Count.FAILED, Count.REFUSED))
        return self.counts[count] / decided if decided else None

    def generation_percentile(self, share: float) -> float | None:
        """Of the time from a submission to its job's first ending."""
        return percentile(self.generation, share)

    def webhook_percentile(self, share: float) -> float | None:
        """Of the time a snapshot took from its worker into the job."""
        return percentile(self.webhook, share)
