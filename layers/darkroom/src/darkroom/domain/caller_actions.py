"""Actions of a caller on a job: cancel it, retry its shots without a picture, replace it."""

from collections.abc import Container, Mapping
from dataclasses import replace

from darkroom.domain.case import Case
from darkroom.domain.errors import (
    FieldError,
    Forbidden,
    InvalidInput,
    JobOpen,
    NothingToRetry,
    StaleVersion,
    StillStopping,
)
from darkroom.domain.job import REVISION_SPARE, Job, Status, job_shot, open_job, reschedule
from darkroom.domain.timing import Timing

GUEST_RETRIES = 3
"""Number of retries that guests of a job have until its owner retries it."""


def check_state(job: Job | None, seen: Container[str] | None) -> None:
    """Raise StaleVersion unless `seen` holds the tag of `job`. If `seen` is None every state is allowed."""
    if seen is not None and (job is None or job.tag not in seen):
        raise StaleVersion("the job is in no state that If-Match names")


def cancel(job: Job, *, now: int) -> Job:
    """Return the cancelled job, or `job` itself when it has ended already. Its pictures stay.

    A worker that has claimed the run keeps its lease until it reports that it has stopped. If it never
    does, the sweeper takes over what it left when the lease ends.
    """
    if not job.is_open:
        return job
    return job.transition(
        Status.CANCELLED,
        completed_at=now,
        due_at=job.lease_until,
        suspicion=None,
        waiting_until=None,
        last_error="cancelled by the caller",
    )


def retry(
    job: Job,
    case: Case,
    descriptions: Mapping[str, str],
    *,
    now: int,
    timing: Timing,
    max_cost_micro_usd: int | None = None,
    guest: bool = False,
) -> tuple[Job, Case | None]:
    """Return the job with another run for the shots without a picture, and the case if it must be stored.

    `descriptions` replaces those of some shots, `max_cost_micro_usd` the cost limit. The case must be
    stored when it has changed, or when it is not kept as long as the new deadline. The counts of runs and
    the deadline begin again. Raise JobOpen, StillStopping, NothingToRetry, InvalidInput,
    or Forbidden when a `guest` may not retry.
    """
    if guest and job.status is Status.CANCELLED:
        raise Forbidden("the job was cancelled; only who may submit can start it again")
    _check_stopped(job, now=now, timing=timing)
    if not job.missing:
        raise NothingToRetry("every shot of this job has its picture")
    if guest and job.guest_retries >= GUEST_RETRIES:
        raise Forbidden(f"guests have retried {GUEST_RETRIES} times; the next retry is the owner's")
    wrong = [
        FieldError(f"shots.{shot_id}", "must be a shot without a picture")
        for shot_id in descriptions
        if shot_id not in job.missing
    ]
    if wrong:
        raise InvalidInput("only shots without a picture can be retried", wrong)
    shots = tuple(replace(s, description=descriptions.get(s.id, s.description)) for s in case.shots)
    max_cost = case.max_cost_micro_usd if max_cost_micro_usd is None else max_cost_micro_usd
    changed = replace(case, shots=shots, max_cost_micro_usd=max_cost)
    old = {shot.id: shot for shot in case.shots}
    stored = {shot.id: shot for shot in job.shots}
    deadline_at = now + timing.deadline
    must_store = changed != case or deadline_at > job.revision_until
    retried = reschedule(
        job,
        now=now,
        due_at=now + timing.grace,
        hop=0,
        shots=tuple(
            stored[shot.id] if shot == old[shot.id] else job_shot(shot, salt=job.salt) for shot in shots
        ),
        revision=job.revision + must_store,
        revision_until=deadline_at + REVISION_SPARE if must_store else job.revision_until,
        caller_retries=job.caller_retries + 1,
        guest_retries=job.guest_retries + 1 if guest else 0,
        wasted_at_retry=job.wasted_micro_usd,
        max_cost_micro_usd=max_cost,
        failures={},
        retry_count=0,
        lost_runs=0,
        failed_starts=0,
        deadline_at=deadline_at,
        last_error=None,
    )
    return retried, changed if must_store else None


def counts_as_a_case(job: Job, *, guest: bool) -> bool:
    """Return True if a retry of `job` counts to the daily limit like a new case.

    It does when it may spend again what was spent before: the job was cancelled, or has paid for requests
    without a picture since its last retry. A guest's retry always counts, since guests have no limit of
    their own.
    """
    return guest or job.status is Status.CANCELLED or job.wasted_micro_usd > job.wasted_at_retry


def replacement(
    job: Job, case: Case, *, job_id: str, salt: str, now: int, timing: Timing, caller: str = ""
) -> Job:
    """Return a new job in the place of one that has ended; raise JobOpen or StillStopping.

    Run and version continue those of the old job, so that no snapshot or tag of the two can be mixed up.
    """
    _check_stopped(job, now=now, timing=timing)
    new = open_job(case, job_id=job_id, salt=salt, now=now, timing=timing, caller=caller)
    return replace(new, run=job.run + 1, version=job.version + 1)


def _check_stopped(job: Job, *, now: int, timing: Timing) -> None:
    if job.is_open:
        raise JobOpen(f"the job is {job.status}; cancel it, or wait until it has ended")
    if job.lease_until is not None and now < job.lease_until:
        lease_seconds = -(-(job.lease_until - now) // 1000)
        raise StillStopping(
            "the cancelled job's worker has not yet reported that it has stopped;"
            f" if it was lost, its lease ends in {lease_seconds} s",
            seconds=min(lease_seconds, timing.heartbeat // 1000),
        )
