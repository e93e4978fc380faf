"""What one change of a job adds to the counts of the deployment."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.errors import Refused
from darkroom.domain.job import Job, Status


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
