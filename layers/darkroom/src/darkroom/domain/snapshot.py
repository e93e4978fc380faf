"""What a worker reports, and what a report does to the job.

The fence is (`job_id`, `run`, `claim`, `sequence`): a report counts only from the one worker whose
claim the run accepted, and only if it is newer than the last. Its pictures are merged by union and
the counts and the status are derived here, so a late, repeated or lost report cannot harm a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from darkroom.domain.case import image_run
from darkroom.domain.errors import Cancelled, FieldError, InvalidInput, RetriesExhausted, Superseded
from darkroom.domain.history import Event
from darkroom.domain.job import Failure, Job, Status, end, outcome, reschedule
from darkroom.domain.timing import Timing


class SnapshotKind(StrEnum):
    """Why a snapshot is sent."""

    CLAIM = "claim"
    PROGRESS = "progress"
    HEARTBEAT = "heartbeat"
    """Nothing new: the worker asks whether to go on."""
    CONTINUE = "continue"
    """The worker's time is over and shots are left: another run is to make them."""
    END = "end"
    """Every shot is done or has failed."""
    STOPPED = "stopped"
    """The worker has heard that the job is cancelled; it will not speak again."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything a run knows when it speaks, never only what is new."""

    case_id: str
    job_id: str
    run: int
    claim: str
    sequence: int
    kind: SnapshotKind
    total: int
    evidence_images: Mapping[str, str] = field(default_factory=dict)
    location_images: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    price_micro_usd: int = 0
    """Of a picture, where it is asked for first."""
    sent_at: int | None = None
    """When it was sent, by the worker's clock; None from a worker that does not say."""
    waiting_until: int | None = None
    """Of a continuation: the quota has no start before then."""
    events: tuple[Event, ...] = ()
    """What the run has done."""
    events_omitted: int = 0

    @property
    def images(self) -> dict[str, str]:
        """Shot id → storage key of every picture there is."""
        return {**self.evidence_images, **self.location_images}

    @property
    def status(self) -> Status:
        """How the job stands in the eyes of the worker; the webhook derives its own."""
        if self.kind is SnapshotKind.END:
            return outcome(total=self.total, done=len(self.images))
        return Status.CANCELLED if self.kind is SnapshotKind.STOPPED else Status.GENERATING


def apply(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """The job after `snapshot`: the next version, or `job` itself when there is nothing new.

    Raises Superseded when the run that speaks does not own the job, Cancelled when it does and must
    stop, InvalidInput when the snapshot contradicts the job.
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
    if snapshot.kind is SnapshotKind.END:
        return _merged(
            job, snapshot, outcome_of(job, snapshot), completed_at=now, due_at=None, lease_until=None
        )
    if snapshot.kind is SnapshotKind.CONTINUE:
        return _continued(job, snapshot, now=now, timing=timing)
    if snapshot.kind is SnapshotKind.STOPPED:
        raise InvalidInput("the job is not cancelled", [FieldError("kind", "must not be stopped")])
    return _merged(job, snapshot, Status.GENERATING) if _has_news(job, snapshot) else job


def outcome_of(job: Job, snapshot: Snapshot) -> Status:
    """How the job ends with what it and the snapshot know."""
    return outcome(total=len(job.shots), done=len({*job.images, *snapshot.images}))


def _claimed(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    if not job.is_open:
        raise Superseded(f"the job is {job.status}")
    if snapshot.kind is not SnapshotKind.CLAIM:
        raise Superseded("the run was never claimed by this worker")
    lease_until = now + timing.lease
    return job.transition(
        Status.GENERATING,
        claim=snapshot.claim,
        sequence=snapshot.sequence,
        lease_until=lease_until,
        due_at=lease_until,
        settled_at_claim=job.settled,
        price_micro_usd=snapshot.price_micro_usd,
        started_at=job.started_at or now,
        waiting_until=None,
    )


def _stopped(job: Job, snapshot: Snapshot) -> Job:
    """Of a cancelled job's worker only its last word counts: what it made stays, its lease ends."""
    if job.claim is None or snapshot.claim != job.claim or snapshot.kind is not SnapshotKind.STOPPED:
        raise Cancelled("the job was cancelled")
    if job.lease_until is None:
        return job
    return _merged(job, snapshot, Status.CANCELLED, due_at=None, lease_until=None, last_error=job.last_error)


def _continued(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """Reschedule for what is left. A run that ended no shot counts as lost: it might go on for ever.

    One that the quota sent away does not. It is due a sweep before the quota has a start for it: the
    sweeper comes once a minute, and a worker may wait as long as that.
    """
    merged = _merged(job, snapshot, Status.GENERATING)
    if snapshot.waiting_until is not None:
        until = min(snapshot.waiting_until, job.deadline_at)
        merged = replace(merged, version=job.version)
        due_at = max(now, until - timing.sweep_interval)
        return reschedule(merged, now=now, due_at=due_at, hop=0, waiting_until=until)
    lost_runs = job.lost_runs + (merged.settled <= job.settled_at_claim)
    merged = replace(merged, version=job.version, lost_runs=lost_runs)
    if lost_runs > timing.max_lost_runs:
        return end(merged, now=now, error=RetriesExhausted(f"{lost_runs} runs ended no picture"))
    last_hop = job.hop >= timing.max_hops
    due_at = now if last_hop else now + timing.grace
    return reschedule(merged, now=now, due_at=due_at, hop=0 if last_hop else job.hop + 1)


def _has_news(job: Job, snapshot: Snapshot) -> bool:
    return (
        not snapshot.images.keys() <= job.images.keys()
        or not snapshot.failures.keys() <= job.failures.keys() | job.images.keys()
        or snapshot.cost_micro_usd > job.cost_micro_usd
        or snapshot.wasted_micro_usd > job.wasted_micro_usd
    )


def _merged(job: Job, snapshot: Snapshot, status: Status, **changes: object) -> Job:
    images = {**snapshot.images, **job.images}
    failures = {i: f for i, f in {**job.failures, **snapshot.failures}.items() if i not in images}
    last_failure = next(reversed(failures.values()), None)
    kept = None if status is Status.COMPLETED else job.last_error
    defaults = {"last_error": last_failure.message if last_failure else kept}
    return job.transition(
        status,
        sequence=snapshot.sequence,
        images=images,
        failures=failures,
        cost_micro_usd=max(job.cost_micro_usd, snapshot.cost_micro_usd),
        wasted_micro_usd=max(job.wasted_micro_usd, snapshot.wasted_micro_usd),
        **(defaults | changes),
    )


def _check(job: Job, snapshot: Snapshot) -> None:
    """Refuse what no worker of ours would send, before anything is decided by it."""
    digests = job.digests
    images = snapshot.images
    errors = []
    if snapshot.run > job.run:
        errors.append(FieldError("run", f"must be at most {job.run}"))
    if snapshot.total != len(digests):
        errors.append(FieldError("totalImages", f"must be {len(digests)}"))
    for shot_id in sorted({*images, *snapshot.failures} - digests.keys()):
        errors.append(FieldError(shot_id, "is not a shot of this job"))
    for shot_id in sorted(images.keys() & snapshot.failures.keys()):
        errors.append(FieldError(shot_id, "is both done and failed"))
    for shot_id in sorted(images.keys() & digests.keys()):
        if (
            image_run(
                images[shot_id],
                case_id=job.case_id,
                job_id=job.job_id,
                shot_id=shot_id,
                digest=digests[shot_id],
            )
            is None
        ):
            errors.append(FieldError(shot_id, "must name a picture of this shot and prompt"))
    if snapshot.waiting_until is not None and snapshot.kind is not SnapshotKind.CONTINUE:
        errors.append(FieldError("waitingUntil", "must only be in a snapshot that continues"))
    reported = len(images) + len(snapshot.failures)
    if snapshot.kind is SnapshotKind.END and reported < len(digests):
        errors.append(FieldError("kind", "must not be end while shots are open"))
    if errors:
        raise InvalidInput("the snapshot contradicts the job", errors)
