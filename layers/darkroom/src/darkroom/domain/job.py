"""The job of a case: its states, the moves between them, and who must next look at it.

A job is frozen; a move returns the next version. Whoever stores it does so only over the version
it was derived from, so of two writers one wins and the other decides again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from darkroom.domain.case import Case, Shot, ShotKind, prompt_digest
from darkroom.domain.errors import ShotError
from darkroom.domain.history import HistoryEntry
from darkroom.domain.receivers import Receiver
from darkroom.domain.timing import Timing


class Status(StrEnum):
    """Where a job stands."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.PENDING, Status.GENERATING})
"""Something still happens to these by itself; the others have ended."""

_ENDS = frozenset({Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED})

ALLOWED: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: OPEN | _ENDS,
    Status.GENERATING: OPEN | _ENDS,
    Status.COMPLETED: frozenset(),
    Status.PARTIAL: frozenset({Status.PENDING}),  # retry
    Status.FAILED: frozenset({Status.PENDING}),  # retry
    Status.CANCELLED: frozenset({Status.PENDING, Status.CANCELLED}),  # retry; the worker has stopped
}
"""Every move there is."""


REVISION_SPARE = 86_400_000
"""A version of the case is kept so long beyond its deadline, for retries that change nothing."""


class IllegalTransition(AssertionError):
    """A move that is not in the table: a defect of ours, never of a caller."""


@dataclass(frozen=True, kw_only=True)
class JobShot:
    """What the job itself knows of a shot; its description stays with the request."""

    id: str
    kind: ShotKind
    name: str
    digest: str
    """Name of its prompt in storage keys. Computed once, here; everybody else copies it."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a shot has no picture."""

    code: str
    message: str
    retryable: bool

    @classmethod
    def of(cls, error: ShotError) -> Self:
        """The failure that a caller sees for `error`."""
        return cls(code=error.code, message=str(error), retryable=error.retryable)


@dataclass(frozen=True, kw_only=True)
class Job:
    """Times are epoch milliseconds, money is millionths of a US dollar."""

    case_id: str
    job_id: str
    request_digest: str
    status: Status
    shots: tuple[JobShot, ...]
    created_at: int
    scheduled_at: int
    """When the current run was last handed to a worker."""
    deadline_at: int
    due_at: int | None
    """When somebody must next look at it: at an open job, or a cancelled one whose worker may be alive."""
    run: int = 1
    version: int = 1
    hop: int = 0
    claim: str | None = None
    """The token of the worker that owns the run."""
    lease_until: int | None = None
    """Until then that worker may be alive; None when nobody has claimed, or the worker has stopped."""
    sequence: int = 0
    """The highest snapshot applied from that worker."""
    latency: int | None = None
    """How long that snapshot took from the worker, in milliseconds."""
    settled_at_claim: int = 0
    """How many shots were done or failed when the run was claimed: what it adds is its progress."""
    started_at: int | None = None
    completed_at: int | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    """Shot id → storage key. Only ever grows."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """Shot id → why it has no picture; never an id that has one."""
    retry_count: int = 0
    """How often the sweeper has armed it again."""
    lost_runs: int = 0
    """How many of its runs were claimed and lost, or ended no shot: only these count to the maximum."""
    revision: int = 0
    """Number of the case's version that the current run is made from; a retry that changes it adds one."""
    revision_until: int = 0
    """The latest deadline that version is kept for, in epoch milliseconds; later ones need another."""
    retries: int = 0
    """Number of retries, whoever asked for them."""
    guest_retries: int = 0
    """Number of retries by guests since the owner's last one."""
    wasted_at_retry: int = 0
    """Cost of requests without a picture up to the last retry, in micro-USD."""
    last_error: str | None = None
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    max_cost_micro_usd: int | None = None
    """What the caller allows it to cost."""
    price_micro_usd: int = 0
    """Of a picture, as the latest worker said: what a lost one stored and did not report has cost."""
    waiting_until: int | None = None
    """When the quota has a start for it; None when it does not wait for the quota."""
    history: tuple[HistoryEntry, ...] = ()
    """What happened to it, progress left out."""
    history_omitted: int = 0
    caller: str = ""
    """Who submitted it."""
    salt: str = ""
    """Random text that is part of each shot's digest. No answer shows it."""
    receiver: Receiver | None = None
    """Who is told what becomes of it."""

    @property
    def is_open(self) -> bool:
        """Whether anything can still happen to it by itself."""
        return self.status in OPEN

    @property
    def tag(self) -> str:
        """Names this state of this job."""
        return f"{self.job_id}.{self.version}"

    @property
    def digests(self) -> dict[str, str]:
        """Shot id → digest of its current prompt."""
        return {shot.id: shot.digest for shot in self.shots}

    @property
    def settled(self) -> int:
        """How many shots are done or have failed."""
        return len(self.images) + len(self.failures)

    @property
    def missing(self) -> tuple[str, ...]:
        """The shots without a picture, failed or not."""
        return tuple(shot.id for shot in self.shots if shot.id not in self.images)

    def transition(self, status: Status, **changes: object) -> Self:
        """The next version, in `status`; raises IllegalTransition for a move that is not in the table."""
        if status not in ALLOWED[self.status]:
            raise IllegalTransition(f"{self.status} -> {status}")
        return replace(self, status=status, version=self.version + 1, **changes)  # type: ignore[arg-type]

    def with_last_error(self, last_error: str) -> Self:
        """The next version, with only a remark added."""
        return self.transition(self.status, last_error=last_error)


def open_job(case: Case, *, job_id: str, salt: str, now: int, timing: Timing, caller: str = "") -> Job:
    """The first version of the job of a case: pending, armed, due after the grace."""
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
    """Hand the job to a new run. Whoever still speaks for the old one is superseded."""
    return job.transition(
        Status.PENDING,
        run=job.run + 1,
        hop=hop,
        claim=None,
        sequence=0,
        lease_until=None,
        scheduled_at=now,
        due_at=due_at,
        completed_at=None,
        **({"waiting_until": None} | changes),
    )


def end(job: Job, *, now: int, error: ShotError) -> Job:
    """Give up what is missing: keep every picture, give every other shot without a reason `error`."""
    failure = Failure.of(error)
    failures = {**dict.fromkeys(job.missing, failure), **job.failures}
    return job.transition(
        outcome(total=len(job.shots), done=len(job.images)),
        failures=failures,
        completed_at=now,
        due_at=None,
        lease_until=None,
        waiting_until=None,
        last_error=str(error),
    )


def outcome(*, total: int, done: int) -> Status:
    """How a job ends when `done` of `total` shots have their picture."""
    if done == total:
        return Status.COMPLETED
    return Status.PARTIAL if done else Status.FAILED


def job_shot(shot: Shot, *, salt: str) -> JobShot:
    """Return `shot` with the digest of its prompt in place of its description."""
    digest = prompt_digest(shot.prompt, salt=salt)
    return JobShot(id=shot.id, kind=shot.kind, name=shot.name, digest=digest)
