"""The job of a case: its states, the transitions between them, and the time of the sweeper's next look.

A job is frozen; a transition returns its next version. A version is stored only over the version it was
derived from, so of two writers one wins and the other decides again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from darkroom.domain.case import Case, Shot, ShotKind, prompt_digest
from darkroom.domain.history import Action, HistoryEntry
from darkroom.domain.losses import NO_GHOSTS, Ghosts, Suspicion
from darkroom.domain.receivers import Receiver
from darkroom.domain.shot_errors import ShotError
from darkroom.domain.timing import Timing
from darkroom.domain.words import Unknown


class Status(StrEnum):
    """State of a job."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.PENDING, Status.GENERATING})
"""States that a job leaves by itself. The others are ends."""

_ENDS = frozenset({Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED})

ALLOWED: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: OPEN | _ENDS,
    Status.GENERATING: OPEN | _ENDS,
    Status.COMPLETED: frozenset({Status.COMPLETED}),
    Status.PARTIAL: frozenset({Status.PENDING, Status.PARTIAL}),
    Status.FAILED: frozenset({Status.PENDING, Status.FAILED}),
    Status.CANCELLED: frozenset({Status.PENDING, Status.CANCELLED}),
}
"""Every transition there is. A job that has ended becomes pending by a retry only. It keeps its state when
its worker has stopped, and when the pictures of ghosts are counted."""


REVISION_SPARE = 86_400_000
"""Milliseconds that a version of the case is kept after its deadline, for retries that change nothing."""


class IllegalTransition(AssertionError):
    """A transition that is not in the table: a defect of Darkroom, never of a caller."""


@dataclass(frozen=True, kw_only=True)
class JobShot:
    """The part of a shot that the job holds. The description is stored with the case."""

    id: str
    kind: ShotKind | str
    name: str
    digest: str
    """Name of its prompt in storage keys. It is computed here only; everybody else copies it."""
    unknown: Unknown = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Reason for which a shot has no picture."""

    code: str
    message: str
    retryable: bool
    unknown: Unknown = field(default_factory=dict)

    @classmethod
    def of(cls, error: ShotError) -> Self:
        """Return the failure that a caller sees for `error`."""
        return cls(code=error.code, message=str(error), retryable=error.retryable)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The state of a case's pictures. Times are epoch milliseconds, money is millionths of a US dollar."""

    case_id: str
    job_id: str
    request_digest: str
    status: Status
    shots: tuple[JobShot, ...]
    created_at: int
    scheduled_at: int
    """Time at which the current run was scheduled. Its worker is started then, or when it is due."""
    deadline_at: int
    due_at: int | None
    """Time at which the sweeper must look at the current run; None if the job has ended without a worker."""
    run: int = 1
    version: int = 1
    hop: int = 0
    """Position of the run in its chain of runs that started one another."""
    claim: str | None = None
    """Random token of the worker that owns the run."""
    request_id: str | None = None
    """Lambda's id of the invocation that claimed the run; None if the claim did not name it."""
    lease_until: int | None = None
    """Time until which that worker owns the run; None before a claim and after the worker's last snapshot."""
    sequence: int = 0
    """Number of the latest snapshot applied from that worker."""
    latency: int | None = None
    """Milliseconds from the sending of that snapshot to its arrival."""
    settled_at_claim: int = 0
    """Number of settled shots when the run was claimed. A run that adds none has made no progress."""
    started_at: int | None = None
    completed_at: int | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    """Shot id → storage key. It only ever grows."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """Shot id → reason for which it has no picture. It never holds an id that is in `images`."""
    retry_count: int = 0
    """Number of runs that the sweeper has scheduled in place of others."""
    lost_runs: int = 0
    """Number of runs that were claimed and then lost, or finished no shot. Only these have a maximum."""
    memory_losses: int = 0
    """Number of lost runs whose worker had no memory left. With each the next worker is more careful."""
    processing: str | None = None
    """Id of the shot that the latest snapshot named as being processed; None if it named none."""
    suspicion: Suspicion | None = None
    """Suspicion that the worker is dead; None if there is none."""
    ghosts: Ghosts = NO_GHOSTS
    """Earlier runs whose workers may still be alive."""
    recoveries: int = 0
    """Number of runs in the current chain that records of failed invocations have started."""
    failed_starts: int = 0
    """Number of records since the last claim that told of a run that nobody claimed."""
    revision: int = 0
    """Number of the stored case that the current run uses. A retry that changes the case adds one."""
    revision_until: int = 0
    """Latest deadline for which that stored case is kept. A later one needs a new revision."""
    caller_retries: int = 0
    """Number of retries, by the owner and by guests."""
    guest_retries: int = 0
    """Number of retries by guests since the owner's last one."""
    wasted_at_retry: int = 0
    """Cost of requests without a picture up to the last retry."""
    last_error: str | None = None
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    max_cost_micro_usd: int | None = None
    """Most that the caller allows the job to cost."""
    price_micro_usd: int = 0
    """Price of one picture at the latest worker. Pictures of a lost run that are adopted cost so much."""
    waiting_until: int | None = None
    """Time at which the quota has a start for it; None when it does not wait for the quota."""
    history: tuple[HistoryEntry, ...] = ()
    """Actions on the job, without its progress."""
    history_omitted: int = 0
    caller: str = ""
    """Name of the caller who submitted it."""
    salt: str = ""
    """Secret text in the digest of each shot. No response shows it."""
    receiver: Receiver | None = None
    """Receiver of the job's callbacks; None sends none."""
    unknown: Unknown = field(default_factory=dict)
    """Attributes of the stored job that this release does not know."""

    @property
    def is_open(self) -> bool:
        """True while a worker or the sweeper will still change it."""
        return self.status in OPEN

    @property
    def next_look_at(self) -> int | None:
        """Time at which the sweeper must look at the job: at its run or at its ghosts; None for never."""
        return min((at for at in (self.due_at, self.ghosts.until) if at is not None), default=None)

    @property
    def is_recovering(self) -> bool:
        """True while its worker is suspected, and until another one has claimed the run in its place."""
        if self.status is Status.PENDING and self.recoveries > 0:
            return not self.history or self.history[-1].action != Action.CONTINUED
        return self.suspicion is not None

    @property
    def tag(self) -> str:
        """Name of this version of this job, for `ETag` and `If-Match`."""
        return f"{self.job_id}.{self.version}"

    @property
    def digests(self) -> dict[str, str]:
        """Shot id → digest of its current prompt."""
        return {shot.id: shot.digest for shot in self.shots}

    @property
    def settled(self) -> int:
        """Number of settled shots: those that have a picture or a failure."""
        return len(self.images) + len(self.failures)

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of the shots without a picture, failed or not."""
        return tuple(shot.id for shot in self.shots if shot.id not in self.images)

    def transition(self, status: Status, **changes: object) -> Self:
        """Return the next version, in `status`; raise IllegalTransition when the table does not allow it."""
        if status not in ALLOWED[self.status]:
            raise IllegalTransition(f"{self.status} -> {status}")
        return replace(self, status=status, version=self.version + 1, **changes)  # type: ignore[arg-type]

    def with_last_error(self, last_error: str) -> Self:
        """Return the next version, with another `last_error` and no other change."""
        return self.transition(self.status, last_error=last_error)


def open_job(case: Case, *, job_id: str, salt: str, now: int, timing: Timing, caller: str = "") -> Job:
    """Return the first version of a case's job: pending, its first run scheduled, due after the grace."""
    return Job(
        case_id=case.case_id,
        job_id=job_id,
        request_digest=case.digest,
        status=Status.PENDING,
        shots=tuple(job_shot(shot, salt=salt) for shot in case.shots),
        max_cost_micro_usd=case.max_cost_micro_usd,
        caller=caller,
        salt=salt,
        receiver=case.receiver,
        created_at=now,
        scheduled_at=now,
        due_at=now + timing.grace,
        deadline_at=now + timing.deadline,
        revision_until=now + timing.deadline + REVISION_SPARE,
    )


def reschedule(job: Job, *, now: int, due_at: int, hop: int, **changes: object) -> Job:
    """Return the job with a new run. Snapshots of earlier runs are superseded from now on."""
    return job.transition(
        Status.PENDING,
        run=job.run + 1,
        hop=hop,
        claim=None,
        request_id=None,
        sequence=0,
        lease_until=None,
        scheduled_at=now,
        due_at=due_at,
        completed_at=None,
        processing=None,
        suspicion=None,
        ghosts=replace(job.ghosts, cost_micro_usd=0, wasted_micro_usd=0),
        **({"waiting_until": None, "recoveries": 0} | changes),
    )


def end(job: Job, *, now: int, error: ShotError) -> Job:
    """Return the job ended: every picture is kept, and every shot without a reason fails with `error`."""
    failure = Failure.of(error)
    failures = {**dict.fromkeys(job.missing, failure), **job.failures}
    return job.transition(
        outcome(total=len(job.shots), done=len(job.images)),
        failures=failures,
        completed_at=now,
        due_at=None,
        lease_until=None,
        suspicion=None,
        waiting_until=None,
        last_error=str(error),
    )


def outcome(*, total: int, done: int) -> Status:
    """Return the state in which a job ends when `done` of `total` shots have a picture."""
    if done == total:
        return Status.COMPLETED
    return Status.PARTIAL if done else Status.FAILED


def job_shot(shot: Shot, *, salt: str) -> JobShot:
    """Return `shot` with the digest of its prompt in place of its description."""
    digest = prompt_digest(shot.prompt, salt=salt)
    return JobShot(id=shot.id, kind=shot.kind, name=shot.name, digest=digest)
