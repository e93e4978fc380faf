"""A worker's snapshot, and what it does to the job.

The fence is (`job_id`, `run`, `claim`, `sequence`): a snapshot counts only from the worker whose claim the
run has accepted, and only if its sequence is higher than the last one's. Pictures are merged by union, and
counts and status are derived here, so a late, repeated or lost snapshot cannot harm a job.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from darkroom.domain.case import image_run
from darkroom.domain.errors import Cancelled, FieldError, InvalidInput, Superseded
from darkroom.domain.job import Failure, Job, Status, end, outcome, reschedule
from darkroom.domain.run import RunEvent
from darkroom.domain.shot_errors import RetriesExhausted
from darkroom.domain.timing import Timing


class SnapshotKind(StrEnum):
    """Reason of a snapshot."""

    CLAIM = "claim"
    PROGRESS = "progress"
    HEARTBEAT = "heartbeat"
    """Nothing is new. The response tells the worker if it must stop."""
    CONTINUE = "continue"
    """The worker's time is over and shots are left: another run must make them."""
    END = "end"
    """Every shot is done or has failed."""
    STOPPED = "stopped"
    """The worker knows that the job is cancelled. This is its last snapshot."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The whole state of a run at the time of sending, never only what is new."""

    case_id: str
    job_id: str
    run: int
    claim: str
    sequence: int
    kind: SnapshotKind | str
    total: int
    evidence_images: Mapping[str, str] = field(default_factory=dict)
    location_images: Mapping[str, str] = field(default_factory=dict)
    other_images: Mapping[str, str] = field(default_factory=dict)
    """Pictures of kinds that only a newer release knows."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    price_micro_usd: int = 0
    """Price of one picture at the first image model."""
    sent_at: int | None = None
    """Time of sending by the worker's clock; None from a worker that does not send it."""
    waiting_until: int | None = None
    """Time before which the quota has no start, in epoch milliseconds; only in a continuation."""
    request_id: str | None = None
    """Lambda's id of the worker's invocation; None if it is not known."""
    processing: str | None = None
    """Id of the shot whose picture the worker is about to process; None unless it is careful."""
    events: tuple[RunEvent, ...] = ()
    events_omitted: int = 0

    @property
    def images(self) -> dict[str, str]:
        """Shot id → storage key of every picture there is."""
        return {**self.evidence_images, **self.location_images, **self.other_images}

    @property
    def status(self) -> Status:
        """State of the job as the worker sees it. The webhook derives its own."""
        if self.kind is SnapshotKind.END:
            return outcome(total=self.total, done=len(self.images))
        return Status.CANCELLED if self.kind is SnapshotKind.STOPPED else Status.GENERATING


def apply(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """Return the job after `snapshot`: the next version, or `job` itself when there is nothing new.

    Raise Superseded when the sender does not own the job, Cancelled when it does and must stop, and
    InvalidInput when the snapshot contradicts the job.
    """
    if snapshot.job_id != job.job_id or snapshot.run < job.run:
        raise Superseded("another run owns the job")
    _check(job, snapshot)
    if job.status is Status.CANCELLED:
        return _stopped(job, snapshot)
    if job.claim is None:
        return _claimed(job, snapshot, now=now, timing=timing)
    if snapshot.claim != job.claim:
        raise Superseded("another worker claimed this run")
    if snapshot.sequence <= job.sequence:
        return job
    if not job.is_open:
        raise Superseded(f"the job is {job.status}")
    return _applied(job, snapshot, now=now, timing=timing)


def _applied(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """Return the job after a new snapshot of its owner."""
    match snapshot.kind:
        case SnapshotKind.END:
            return _ended(job, snapshot, now=now)
        case SnapshotKind.CONTINUE:
            return _continued(job, snapshot, now=now, timing=timing)
        case SnapshotKind.STOPPED:
            raise InvalidInput("the job is not cancelled", [FieldError("kind", "must not be stopped")])
        case _:
            return _progressed(job, snapshot)


def _progressed(job: Job, snapshot: Snapshot) -> Job:
    """Return the job after progress or a heartbeat; `job` itself when there is nothing new."""
    if _clears_suspicion(job, snapshot):
        trusted = replace(_merged(job, snapshot), suspicion=None, due_at=job.lease_until)
        return trusted.transition(Status.GENERATING)
    return _merged(job, snapshot).transition(Status.GENERATING) if _has_news(job, snapshot) else job


def _clears_suspicion(job: Job, snapshot: Snapshot) -> bool:
    """Return True if the snapshot shows that a suspected worker lives: it was sent after the suspicion.

    One that was on its way when the worker died must not count. A worker that lives sends several within
    the time of silence, so one of them counts even if its clock is some seconds behind.
    """
    if job.suspicion is None or snapshot.sent_at is None:
        return False
    return snapshot.sent_at > job.suspicion.at


def _claimed(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    if not job.is_open:
        raise Superseded(f"the job is {job.status}")
    if snapshot.kind is not SnapshotKind.CLAIM:
        raise Superseded("the run was never claimed by this worker")
    lease_until = now + timing.lease
    return job.transition(
        Status.GENERATING,
        claim=snapshot.claim,
        request_id=snapshot.request_id,
        sequence=snapshot.sequence,
        failed_starts=0,
        lease_until=lease_until,
        due_at=lease_until,
        settled_at_claim=job.settled,
        price_micro_usd=snapshot.price_micro_usd,
        started_at=job.started_at or now,
        waiting_until=None,
    )


def _stopped(job: Job, snapshot: Snapshot) -> Job:
    """Apply the last snapshot of a cancelled job's worker: its pictures stay, its lease ends.

    Any other snapshot of a cancelled job raises Cancelled.
    """
    if job.claim is None or snapshot.claim != job.claim or snapshot.kind is not SnapshotKind.STOPPED:
        raise Cancelled("the job was cancelled")
    if job.lease_until is None:
        return job
    merged = _merged(job, snapshot)
    return merged.transition(Status.CANCELLED, due_at=None, lease_until=None, last_error=job.last_error)


def _ended(job: Job, snapshot: Snapshot, *, now: int) -> Job:
    merged = _merged(job, snapshot)
    status = outcome(total=len(merged.shots), done=len(merged.images))
    return merged.transition(
        status,
        completed_at=now,
        due_at=None,
        lease_until=None,
        suspicion=None,
        last_error=None if status is Status.COMPLETED else merged.last_error,
    )


def _continued(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """Schedule another run for the shots that are left.

    A run that finished no shot counts as lost, or the chain might go on for ever. A run that must wait
    for the quota does not count. The job is then due one sweep before the quota has a start for it: the
    sweeper comes once a minute, and a worker may wait that long for a start.
    """
    merged = _merged(job, snapshot)
    if snapshot.waiting_until is not None:
        until = min(snapshot.waiting_until, job.deadline_at)
        due_at = max(now, until - timing.sweep_interval)
        return reschedule(merged, now=now, due_at=due_at, hop=0, waiting_until=until)
    lost_runs = job.lost_runs + (merged.settled <= job.settled_at_claim)
    merged = replace(merged, lost_runs=lost_runs)
    if lost_runs > timing.max_lost_runs:
        return end(merged, now=now, error=RetriesExhausted(f"{lost_runs} runs ended no picture"))
    if job.hop >= timing.max_hops:
        return reschedule(merged, now=now, due_at=now, hop=0)
    return reschedule(merged, now=now, due_at=now + timing.grace, hop=job.hop + 1, recoveries=job.recoveries)


def _has_news(job: Job, snapshot: Snapshot) -> bool:
    return (
        not snapshot.images.keys() <= job.images.keys()
        or not snapshot.failures.keys() <= job.failures.keys() | job.images.keys()
        or snapshot.processing != job.processing
        or snapshot.cost_micro_usd + job.ghosts.cost_micro_usd > job.cost_micro_usd
        or snapshot.wasted_micro_usd + job.ghosts.wasted_micro_usd > job.wasted_micro_usd
    )


def _merged(job: Job, snapshot: Snapshot) -> Job:
    """Return the job with what the snapshot adds, still in its version: a transition must follow."""
    images = {**snapshot.images, **job.images}
    failures = {i: f for i, f in {**job.failures, **snapshot.failures}.items() if i not in images}
    last_failure = next(reversed(failures.values()), None)
    return replace(
        job,
        sequence=snapshot.sequence,
        images=images,
        failures=failures,
        cost_micro_usd=max(job.cost_micro_usd, snapshot.cost_micro_usd + job.ghosts.cost_micro_usd),
        wasted_micro_usd=max(job.wasted_micro_usd, snapshot.wasted_micro_usd + job.ghosts.wasted_micro_usd),
        processing=snapshot.processing,
        last_error=last_failure.message if last_failure else job.last_error,
    )


def _check(job: Job, snapshot: Snapshot) -> None:
    """Raise InvalidInput for what no worker of ours would send, before anything is decided by it."""
    errors = [*_wrong_numbers(job, snapshot), *_wrong_shots(job, snapshot)]
    if errors:
        raise InvalidInput("the snapshot contradicts the job", errors)


def _wrong_numbers(job: Job, snapshot: Snapshot) -> Iterator[FieldError]:
    total = len(job.shots)
    if snapshot.run > job.run:
        yield FieldError("run", f"must be at most {job.run}")
    if snapshot.total != total:
        yield FieldError("totalImages", f"must be {total}")
    if snapshot.waiting_until is not None and snapshot.kind is not SnapshotKind.CONTINUE:
        yield FieldError("waitingUntil", "must only be in a snapshot that continues")
    if snapshot.kind is SnapshotKind.END and len(snapshot.images) + len(snapshot.failures) < total:
        yield FieldError("kind", "must not be end while shots are open")


def _wrong_shots(job: Job, snapshot: Snapshot) -> Iterator[FieldError]:
    digests = job.digests
    images = snapshot.images
    for shot_id in sorted({*images, *snapshot.failures} - digests.keys()):
        yield FieldError(shot_id, "is not a shot of this job")
    for shot_id in sorted(images.keys() & snapshot.failures.keys()):
        yield FieldError(shot_id, "is both done and failed")
    for shot_id in sorted(images.keys() & digests.keys()):
        names = {"case_id": job.case_id, "job_id": job.job_id, "shot_id": shot_id}
        if image_run(images[shot_id], **names, digest=digests[shot_id]) is None:
            yield FieldError(shot_id, "must name a picture of this shot and prompt")
