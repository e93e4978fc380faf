"""Counts and durations of a deployment: what a change of a job adds, and the totals of a window of time.

A duration is counted in buckets that grow by a fifth each, so a percentile is within a tenth of the truth.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.job import Job, Status
from darkroom.domain.shot_errors import Refused

FIRST = 10.0
"""Milliseconds at which bucket 0 ends."""
GROWTH = 1.2
BUCKETS = 102
"""Number of buckets. The last one begins above a week."""


def bucket(milliseconds: float) -> int:
    """Return the bucket of a duration."""
    if milliseconds <= FIRST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(milliseconds / FIRST, GROWTH) - 1e-9))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the duration in milliseconds that `share` of those counted do not exceed; None without any.

    Durations are assumed to be spread evenly within a bucket.
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
    """Name of a counter."""

    CASES = "cases"
    REQUESTED = "imagesRequested"
    COMPLETED = "imagesCompleted"
    FAILED = "imagesFailed"
    """Shots without a picture at each end of a job, except those that were refused."""
    REFUSED = "imagesRefused"
    """Shots that the provider refused: they need another description, not another attempt."""
    RETRIES = "retries"
    """Runs that the sweeper scheduled in place of others."""
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
    """Counts and durations that one change of a job adds to the metrics. Durations in milliseconds."""

    counts: Mapping[Count, int] = field(default_factory=dict)
    """Counts that are not 0."""
    generation: int | None = None
    """Time from the submission to the job's first end."""
    webhook: int | None = None
    """Time from the sending of a snapshot to its being stored in the job."""

    @property
    def is_empty(self) -> bool:
        """True if the change adds nothing."""
        return not self.counts and self.generation is None and self.webhook is None


def tally(old: Job | None, new: Job) -> Tally:
    """Return what the change from `old` to `new` adds; `old` is None for the first job of a case.

    If versions of a job are skipped, the tallies still add up to the same pictures and costs.
    """
    before = old if old is not None and old.job_id == new.job_id else None
    counts = _counts(before, new)
    ends = not new.is_open and (before is None or before.is_open)
    if ends:
        counts |= _counts_of_end(new)
    return Tally(
        counts={count: number for count, number in counts.items() if number},
        generation=_generation(new) if ends else None,
        webhook=new.latency if before is not None and _is_snapshot(before, new) else None,
    )


def _counts(before: Job | None, new: Job) -> dict[Count, int]:
    if before is None:
        return {
            Count.CASES: 1,
            Count.REQUESTED: len(new.shots),
            Count.COMPLETED: len(new.images),
            Count.COST: new.cost_micro_usd,
            Count.WASTED: new.wasted_micro_usd,
            Count.RETRIES: new.retry_count,
        }
    return {
        Count.COMPLETED: len(new.images) - len(before.images),
        Count.COST: new.cost_micro_usd - before.cost_micro_usd,
        Count.WASTED: new.wasted_micro_usd - before.wasted_micro_usd,
        # A caller's retry sets the count of the sweeper's retries to 0.
        Count.RETRIES: max(0, new.retry_count - before.retry_count),
    }


def _counts_of_end(job: Job) -> dict[Count, int]:
    refused = sum(failure.code == Refused.code for failure in job.failures.values())
    return {
        _ENDINGS[job.status]: 1,
        Count.REFUSED: refused,
        Count.FAILED: len(job.failures) - refused,
    }


def _generation(job: Job) -> int | None:
    """Return the time from the submission to the end; None for a cancelled or retried job."""
    if job.status is Status.CANCELLED or job.caller_retries > 0 or job.completed_at is None:
        return None
    return job.completed_at - job.created_at


def _is_snapshot(before: Job, new: Job) -> bool:
    """Return True if the change is a worker's snapshot."""
    return new.claim is not None and (new.claim, new.sequence) != (before.claim, before.sequence)


HOUR = 3_600_000
STEP = 300_000
"""Milliseconds of the short steps that a window of one hour is made of. Other windows are made of hours."""


class Window(StrEnum):
    """A span of time up to now, in whole steps: up to one step longer than its name says."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def step(self) -> int:
        """Length of its steps, in milliseconds."""
        return STEP if self is Window.HOUR else HOUR

    def steps(self, now: int) -> range:
        """Return the beginnings of its steps, in epoch milliseconds; the last step holds `now`."""
        spans = {Window.HOUR: HOUR, Window.DAY: 24 * HOUR, Window.WEEK: 168 * HOUR}
        last = now - now % self.step
        return range(last - spans[self], last + 1, self.step)


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Counts and durations of a window. Durations are counted by bucket."""

    counts: Counter[Count] = field(default_factory=Counter)
    generation: Counter[int] = field(default_factory=Counter)
    webhook: Counter[int] = field(default_factory=Counter)

    @property
    def success_rate(self) -> float | None:
        """Share of the finished shots that have a picture; None without any finished shot."""
        return self._share(Count.COMPLETED)

    @property
    def failure_rate(self) -> float | None:
        """Share of the finished shots that failed for another reason than a refusal."""
        return self._share(Count.FAILED)

    def _share(self, count: Count) -> float | None:
        decided = sum(self.counts[c] for c in (Count.COMPLETED, Count.FAILED, Count.REFUSED))
        return self.counts[count] / decided if decided else None

    def generation_percentile(self, share: float) -> float | None:
        """Return a percentile of the time from a submission to its job's first end, in milliseconds."""
        return percentile(self.generation, share)

    def webhook_percentile(self, share: float) -> float | None:
        """Return a percentile of the time from sending a snapshot to storing it, in milliseconds."""
        return percentile(self.webhook, share)
