"""The sweeper's decision about a due job: end it, or schedule another run."""

from collections.abc import Iterable, Mapping

from darkroom.domain.adoption import adopt, count_ghosts
from darkroom.domain.job import Job, Status, outcome, reschedule
from darkroom.domain.job import end as end_job
from darkroom.domain.recovery import is_silent, take_over, with_loss
from darkroom.domain.shot_errors import DeadlineExceeded, RetriesExhausted
from darkroom.domain.timing import Timing

STUCK_AFTER = 600_000
"""Milliseconds after which a generating job counts as stuck, and an alarm tells the operator."""

REASONS: Mapping[Status, str] = {
    Status.PENDING: "no worker claimed the run in time",
    Status.GENERATING: "the worker was lost",
}


def is_due(job: Job, now: int) -> bool:
    """Return True if the sweeper must act on the job now. The index may be older than the job."""
    return job.next_look_at is not None and job.next_look_at <= now


def is_stuck(job: Job, now: int) -> bool:
    """Return True if the job is generating and its run was scheduled too long ago."""
    return job.status is Status.GENERATING and now - job.scheduled_at > STUCK_AFTER


def sweep(job: Job, stored: Iterable[str], *, now: int, timing: Timing, jitter: float) -> Job:
    """Return the next version of a due job; `stored` are the keys of its pictures in storage.

    Only claimed runs count as lost. A run that nobody claimed has spent nothing; the deadline limits the
    number of those.
    """
    stored = list(stored)
    if job.ghosts.until is not None and job.ghosts.until <= now:
        job = count_ghosts(job, stored)
    if job.due_at is None or job.due_at > now:
        return job.transition(job.status)
    if is_silent(job, now):
        return take_over(job, stored, now=now, timing=timing, new_chain=True)
    job = adopt(job, stored)
    if job.status is Status.CANCELLED:  # its worker is dead: it never reported that it had stopped
        return job.transition(Status.CANCELLED, due_at=None, lease_until=None)
    return _ended_or_rescheduled(with_loss(job), now=now, timing=timing, jitter=jitter)


def _ended_or_rescheduled(job: Job, *, now: int, timing: Timing, jitter: float) -> Job:
    reason = REASONS[job.status]
    if job.settled == len(job.shots):
        return job.transition(
            outcome(total=len(job.shots), done=len(job.images)),
            completed_at=now,
            due_at=None,
            lease_until=None,
            suspicion=None,
            waiting_until=None,
        )
    if now >= job.deadline_at:
        return end_job(job, now=now, error=DeadlineExceeded("the job's deadline has passed"))
    if job.lost_runs > timing.max_lost_runs:
        return end_job(job, now=now, error=RetriesExhausted(f"{reason}, {job.lost_runs} times"))
    if job.waiting_until is not None:  # it keeps its place in the quota's queue until it is claimed
        return reschedule(job, now=now, due_at=now + timing.grace, hop=0, waiting_until=job.waiting_until)
    retry_count = job.retry_count + 1
    due_at = now + timing.grace + timing.backoff(retry_count, jitter)
    return reschedule(job, now=now, due_at=due_at, hop=0, retry_count=retry_count, last_error=reason)
