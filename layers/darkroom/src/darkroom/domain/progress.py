"""What a worker reports, and what a report does to the job.

The fence is (`job_id`, `run`, `claim`, `sequence`): a report counts only from the one worker whose
claim the run accepted, and only if it is newer than the last. Its pictures are merged by union and
the counts and the status are derived here, so a late, repeated or lost report cannot harm a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.case import is_image_key
from darkroom.domain.errors import FieldError, InvalidInput, Superseded
from darkroom.domain.job import Failure, Job, Status, outcome
from darkroom.domain.timing import Timing


class SnapshotKind(StrEnum):
    """Why a snapshot is sent."""

    CLAIM = "claim"
    PROGRESS = "progress"
    END = "end"


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

    @property
    def images(self) -> dict[str, str]:
        """Shot id → storage key of every picture there is."""
        return {**self.evidence_images, **self.location_images}

    @property
    def status(self) -> Status:
        """How the job stands in the eyes of the worker; the webhook derives its own."""
        if self.kind is SnapshotKind.END:
            return outcome(total=self.total, done=len(self.images))
        return Status.GENERATING


def apply(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    """The job after `snapshot`: the next version, or `job` itself when there is nothing new.

    Raises Superseded when the run that speaks does not own the job, InvalidInput when the snapshot
    contradicts the job or itself.
    """
    if snapshot.job_id != job.job_id or snapshot.run < job.run:
        raise Superseded("another run owns the job")
    _check(job, snapshot)
    if job.claim is None:
        return _claimed(job, snapshot, now=now, timing=timing)
    if snapshot.claim != job.claim:
        raise Superseded("another worker claimed this run")
    if snapshot.sequence <= job.sequence:
        return job
    if not job.is_open:
        raise Superseded(f"the job is {job.status}")
    return _merged(job, snapshot, now=now)


def _claimed(job: Job, snapshot: Snapshot, *, now: int, timing: Timing) -> Job:
    if not job.is_open:
        raise Superseded(f"the job is {job.status}")
    if snapshot.kind is not SnapshotKind.CLAIM:
        raise Superseded("the run was never claimed by this worker")
    return job.moved(
        Status.GENERATING,
        claim=snapshot.claim,
        sequence=snapshot.sequence,
        due_at=now + timing.lease,
        started_at=job.started_at or now,
        failures={},
    )


def _merged(job: Job, snapshot: Snapshot, *, now: int) -> Job:
    images = {**snapshot.images, **job.images}
    failures = {shot_id: failure for shot_id, failure in snapshot.failures.items() if shot_id not in images}
    ended = snapshot.kind is SnapshotKind.END
    last_failure = next(reversed(failures.values()), None)
    return job.moved(
        outcome(total=len(job.shots), done=len(images)) if ended else Status.GENERATING,
        sequence=snapshot.sequence,
        images=images,
        failures=failures,
        cost_micro_usd=max(job.cost_micro_usd, snapshot.cost_micro_usd),
        wasted_micro_usd=max(job.wasted_micro_usd, snapshot.wasted_micro_usd),
        completed_at=now if ended else None,
        due_at=None if ended else job.due_at,
        last_error=last_failure.message if last_failure else None if ended else job.last_error,
    )


def _check(job: Job, snapshot: Snapshot) -> None:
    """Refuse what no worker of ours would send, before anything is decided by it."""
    digests = {shot.id: shot.digest for shot in job.shots}
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
        if not is_image_key(
            images[shot_id],
            case_id=job.case_id,
            job_id=job.job_id,
            shot_id=shot_id,
            digest=digests[shot_id],
        ):
            errors.append(FieldError(shot_id, "must name a picture of this shot and prompt"))
    reported = len(images) + len(snapshot.failures)
    if snapshot.kind is SnapshotKind.END and reported < len(digests):
        errors.append(FieldError("kind", "must not be end while shots are open"))
    if errors:
        raise InvalidInput("the snapshot contradicts the job", errors)
