"""Recovery: replace a worker soon after Lambda has reported that its invocation failed.

A record of a failed invocation proves nothing: Lambda may deliver an event twice, and the other delivery may
own the run. So a worker is only suspected, and its run is taken over when it stays silent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from darkroom.domain.adoption import adopt
from darkroom.domain.job import Failure, Job, Status, reschedule
from darkroom.domain.losses import LossReason, Suspicion
from darkroom.domain.shot_errors import TooLarge
from darkroom.domain.timing import Timing

RAN = "RetriesExhausted"
"""Condition of a record whose worker was started. Others were dropped before a worker was started."""

CONDEMNING_LOSSES = 3
"""Number of losses for memory after which the shot that was being processed fails."""

LOST = "a worker was lost, another takes over"


@dataclass(frozen=True, kw_only=True)
class FailedInvocation:
    """Lambda's record of a worker's invocation that failed."""

    case_id: str
    job_id: str
    run: int
    request_id: str | None
    """Lambda's id of the invocation; None if the record does not have it."""
    condition: str | None
    """Reason for which Lambda gave up the event; None if the record does not have it."""
    reason: LossReason
    error_type: str | None = None
    """Type of the error, as the runtime named it; None if the record does not have it."""

    @property
    def ran(self) -> bool:
        """True if the invocation may have reached a worker."""
        return self.condition in (None, RAN)


@dataclass(frozen=True, kw_only=True)
class SecondLook:
    """A message to recovery itself: look at the suspected worker of this run again."""

    case_id: str
    job_id: str
    run: int
    claim: str


def recover(job: Job, record: FailedInvocation, *, now: int, timing: Timing, jitter: float) -> Job:
    """Return the job after a record: its worker suspected, or another run; `job` itself for no change."""
    if not _is_current(job, record) or now >= job.deadline_at:
        return job
    if job.status is Status.PENDING:
        return _restart(job, now=now, timing=timing, jitter=jitter)
    if job.suspicion is None and _is_of_owner(job, record):
        return _suspect(job, record, now=now, timing=timing)
    return job


def is_suspected(job: Job, record: FailedInvocation) -> bool:
    """Return True if the worker of the record owns the run and is suspected."""
    return job.suspicion is not None and _is_current(job, record) and _is_of_owner(job, record)


def awaits_look(job: Job, now: int) -> bool:
    """Return True if a second look at the suspected worker is to come before its lease ends."""
    if job.suspicion is None or job.due_at is None or job.lease_until is None:
        return False
    return max(now, job.due_at) < job.lease_until


def is_about(job: Job, look: SecondLook) -> bool:
    """Return True if the second look is at the worker that owns the current run."""
    return _is_current(job, look) and job.claim == look.claim


def _is_current(job: Job, message: FailedInvocation | SecondLook) -> bool:
    """Return True if the message is of the current run of an open job."""
    return job.is_open and (job.job_id, job.run) == (message.job_id, message.run)


def _is_of_owner(job: Job, record: FailedInvocation) -> bool:
    """Return True if the record may be of the worker that owns the run. An unknown id counts as equal."""
    ids = {job.request_id, record.request_id} - {None}
    return job.claim is not None and record.ran and len(ids) < 2


def _suspect(job: Job, record: FailedInvocation, *, now: int, timing: Timing) -> Job:
    assert job.lease_until is not None
    return job.transition(
        Status.GENERATING,
        suspicion=Suspicion(at=now, reason=record.reason),
        due_at=min(job.lease_until, now + timing.silence),
    )


def is_silent(job: Job, now: int) -> bool:
    """Return True if the worker was suspected and has sent nothing for long enough, and its lease lasts."""
    if job.suspicion is None or job.due_at is None or job.lease_until is None:
        return False
    return job.due_at <= now < job.lease_until


def take_over(job: Job, stored: Iterable[str], *, now: int, timing: Timing, new_chain: bool = False) -> Job:
    """Return the job with another run in place of that of a silent worker.

    Its worker may still be alive. So the job is never ended here: where a lost run would end it, it stays
    as it is until the lease ends. And the run stays a ghost until then. A `new_chain` begins with the run
    that the sweeper starts.
    """
    assert job.lease_until is not None
    taken = with_loss(adopt(job, stored))
    if taken.lost_runs > timing.max_lost_runs or now >= job.deadline_at:
        return job.transition(Status.GENERATING, due_at=job.lease_until)
    ghosts = replace(taken.ghosts, until=max(job.lease_until, taken.ghosts.until or 0))
    taken = replace(taken, ghosts=ghosts, last_error=LOST)
    if new_chain:
        taken = replace(taken, hop=0, recoveries=0)
    return _restarted(taken, now=now, timing=timing)


def _restart(job: Job, *, now: int, timing: Timing, jitter: float) -> Job:
    """Return a pending job after a record told that its run cannot be claimed any more.

    After the first such record since a claim another run is scheduled. After each further one the job is
    only due after a backoff: a bad deployment would start workers without end.
    """
    failed_starts = job.failed_starts + 1
    if failed_starts > 1:
        due_at = now + timing.backoff(failed_starts - 1, jitter)
        return job.transition(Status.PENDING, failed_starts=failed_starts, due_at=due_at)
    again = replace(job, failed_starts=failed_starts, last_error="no worker could be started for the run")
    return _restarted(again, now=now, timing=timing)


def must_start(old: Job, new: Job) -> bool:
    """Return True if a worker must be started now for the new run of `new`."""
    return new.run > old.run and new.recoveries > 0


def with_loss(job: Job) -> Job:
    """Return the job with its claimed run counted as lost, still in its version.

    A shot is condemned only if the worker had named it before it ran out of memory, for the third time.
    """
    if job.claim is None:
        return job
    is_memory = job.suspicion is not None and job.suspicion.reason is LossReason.MEMORY
    counted = replace(job, memory_losses=job.memory_losses + is_memory)
    if is_memory and counted.memory_losses >= CONDEMNING_LOSSES and job.processing in job.missing:
        return _with_condemned(counted, job.processing)
    return replace(counted, lost_runs=job.lost_runs + 1)


def _with_condemned(job: Job, shot_id: str) -> Job:
    """Return the job with the shot failed. Its run has settled a shot, so it does not count as lost."""
    failure = Failure.of(TooLarge("the worker ran out of memory each time it processed this picture"))
    return replace(
        job,
        failures={**job.failures, shot_id: failure},
        cost_micro_usd=job.cost_micro_usd + job.price_micro_usd,
        wasted_micro_usd=job.wasted_micro_usd + job.price_micro_usd,
    )


def _restarted(job: Job, *, now: int, timing: Timing) -> Job:
    """Return the job with another run. It starts at once, unless its chain has had enough of them.

    Lambda ends a chain of functions that start one another. The sweeper begins a new chain.
    """
    retry_count = job.retry_count + 1
    if job.recoveries >= timing.max_recoveries:
        return reschedule(
            job, now=now, due_at=now, hop=0, retry_count=retry_count, waiting_until=job.waiting_until
        )
    return reschedule(
        job,
        now=now,
        due_at=now + timing.grace,
        hop=job.hop,
        recoveries=job.recoveries + 1,
        retry_count=retry_count,
        waiting_until=job.waiting_until,
    )
