"""Counts and durations of a deployment: what a change of a job adds, and the totals of a window of time.

A duration is counted in buckets that grow by a fifth each, so a percentile is within a tenth of the truth.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.errors import Refused
from darkroom.domain.job import Job, Status

FIRST = 10.0
"""Milliseconds: the end of bucket 0."""
GROWTH = 1.2
BUCKETS = 102
"""The last one begins above a week."""


def bucket(milliseconds: float) -> int:
    """Which bucket holds a duration."""
    if milliseconds <= FIRST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(milliseconds / FIRST, GROWTH) - 1e-9))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration in milliseconds that `share` of those counted do not exceed; None of none.

    Within a bucket durations are taken to be spread evenly.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, below = share * total, 0
    for index in sorted(counts):
        if below + counts[index] >= wanted:
            end = FIRST * GROWTH**index
            begin = end / GROWTH if index else 0.0
            return begin + (end - begin) * (wanted - below) / counts[index]
        below += counts[index]
    raise AssertionError("the last bucket reaches the total")


class Count(StrEnum):
    """What is counted."""

    CASES = "cases"
    REQUESTED = "imagesRequested"
    COMPLETED = "imagesCompleted"
    FAILED = "imagesFailed"
    """Without a picture at the job's end, for any reason but the next."""
    REFUSED = "imagesRefused"
    """The provider refuses to make it: another description is needed, not another try."""
    RETRIES = "retries"
    """Runs that the sweeper armed again."""
    COST = "costMicroUsd"
    WASTED = "wastedMicroUsd"
    ENDED_COMPLETED = "jobsCompleted"
    ENDED_PARTIAL = "jobsPartial"
    ENDED_FAILED = "jobsFailed"
    ENDED_CANCELLED = "jobsCancelled"


_ENDINGS: Mapping[Status, Count] = {
    Status.COMPLETED: Count.ENDED_COMPLETED,
    Status.PARTIAL: Count.ENDED_PARTIAL,
    Status.FAILED: Count.ENDED_FAILED,
    Status.CANCELLED: Count.ENDED_CANCELLED,
}


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Durations in milliseconds."""

    counts: Mapping[Count, int] = field(default_factory=dict)
    """Those that are not 0."""
    generation: int | None = None
    """From the submission to the job's first ending."""
    webhook: int | None = None
    """How long a snapshot took from the worker into the job."""

    @property
    def is_empty(self) -> bool:
        """Whether it adds nothing."""
        return not self.counts and self.generation is None and self.webhook is None


def tally(old: Job | None, new: Job) -> Tally:
    """What the change from `old` to `new` adds; `old` is None for a case's first job.

    The tallies of all versions of a job add up to what became of it, whichever versions are skipped.
    """
    counts: Counter[Count] = Counter()
    before = old if old is not None and old.job_id == new.job_id else None
    if before is None:
        counts[Count.CASES] = 1
        counts[Count.REQUESTED] = len(new.shots)
    counts[Count.COMPLETED] = len(new.images) - (len(before.images) if before else 0)
    counts[Count.COST] = new.cost_micro_usd - (before.cost_micro_usd if before else 0)
    counts[Count.WASTED] = new.wasted_micro_usd - (before.wasted_micro_usd if before else 0)
    counts[Count.RETRIES] = max(0, new.retry_count - (before.retry_count if before else 0))
    generation = None
    if not new.is_open and (before is None or before.is_open):
        counts[_ENDINGS[new.status]] = 1
        refused = sum(failure.code == Refused.code for failure in new.failures.values())
        counts[Count.REFUSED] = refused
        counts[Count.FAILED] = len(new.failures) - refused
        if new.status is not Status.CANCELLED and new.retries == 0 and new.completed_at is not None:
            generation = new.completed_at - new.created_at
    return Tally(
        counts={count: number for count, number in counts.items() if number},
        generation=generation,
        webhook=new.latency if before is not None and _spoke(before, new) else None,
    )


def _spoke(before: Job, new: Job) -> bool:
    """Whether the change is a worker's snapshot."""
    return new.claim is not None and (new.claim, new.sequence) != (before.claim, before.sequence)


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
