"""One run of a job: the order it starts with, the events it has, and the report it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.case import Case, ShotKind
from darkroom.domain.job import Failure, Job
from darkroom.domain.shot_errors import (
    AccountUnusable,
    Misconfigured,
    ModelRetired,
    QuotaExhausted,
    Unauthorized,
)

MAX_EVENTS = 240
"""Number of events of a run that are kept. A case of 14 has about 30, one of 100 about 170."""

OPERATOR_FAULTS = frozenset(
    {error.code for error in (QuotaExhausted, Unauthorized, AccountUnusable, Misconfigured, ModelRetired)}
)
"""Codes of errors that an operator must repair."""


@dataclass(frozen=True, kw_only=True)
class WorkOrder:
    """Everything that a worker needs for one run. It never reads the job.

    Times are epoch milliseconds, money is millionths of a US dollar.
    """

    case: Case
    digests: Mapping[str, str]
    """Shot id → digest of its prompt, as the job has it. Storage keys contain it."""
    job_id: str
    run: int
    hop: int
    claim_before: int
    """Time from which the run must not be claimed: the sweeper may have scheduled the next run."""
    deadline_at: int
    spent_micro_usd: int
    wasted_micro_usd: int
    done: Mapping[str, str]
    """Shot id → storage key of the pictures that exist already."""
    failed: Mapping[str, Failure]
    """Shots that failed in an earlier run. Only a caller's retry makes them again."""
    webhook_url: str
    memory_losses: int = 0
    """Number of earlier runs whose worker had no memory left."""
    requires: frozenset[str] = frozenset()
    """Names of what a worker must know to run the order. An older worker refuses it before its claim."""
    returning: bool = False
    """True if the run before had to wait for the quota. This run then goes before new ones."""


KNOWN_REQUIREMENTS: frozenset[str] = frozenset()
"""Names in `requires` that the workers of this release know."""


def is_supported(order: WorkOrder) -> bool:
    """Return True if a worker of this release can run the order as it is meant."""
    kinds_known = all(isinstance(shot.kind, ShotKind) for shot in order.case.shots)
    return kinds_known and order.requires <= KNOWN_REQUIREMENTS


def work_order(job: Job, case: Case, *, webhook_url: str) -> WorkOrder:
    """Return the order for the current run of a pending job."""
    if job.due_at is None:
        raise ValueError("an ended job has no work")
    return WorkOrder(
        case=case,
        digests=job.digests,
        job_id=job.job_id,
        run=job.run,
        hop=job.hop,
        claim_before=job.due_at,
        deadline_at=job.deadline_at,
        spent_micro_usd=job.cost_micro_usd,
        wasted_micro_usd=job.wasted_micro_usd,
        done=job.images,
        failed=job.failures,
        webhook_url=webhook_url,
        memory_losses=job.memory_losses,
        returning=job.waiting_until is not None,
    )


class EventKind(StrEnum):
    """Kind of a run's event."""

    ATTEMPT = "attempt"
    """One request for a picture."""
    WAIT = "wait"
    """A wait of a shot: for the quota, or before another attempt."""
    BATCH = "batch"
    SNAPSHOT = "snapshot"
    """One attempt to send a snapshot."""


@dataclass(frozen=True, kw_only=True)
class RunEvent:
    """One action of a worker."""

    kind: EventKind | str
    at: int
    """Beginning, in epoch milliseconds."""
    milliseconds: int
    """Duration."""
    outcome: str
    reason: str = ""
    """The outcome in words, for the worker's log. It is not sent."""
    number: int | None = None
    """Number of the attempt of its shot, of the batch, or of the snapshot."""
    shot_id: str | None = None
    hedge: bool = False
    """True if the request was sent while another one of the shot was running."""
    cost_micro_usd: int = 0


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """The events of a run as its worker has sent them."""

    case_id: str
    job_id: str
    run: int
    sequence: int
    """Number of the snapshot that brought the events."""
    expires_at: int
    """Deadline of the job, in epoch milliseconds. The log is kept as long after it as the job is."""
    events: tuple[RunEvent, ...]
    omitted: int = 0
    """Number of events that were not kept."""


class Ending(StrEnum):
    """End of a run. `ENDED` means that every shot is settled, so the job has ended too."""

    UNSUPPORTED = "unsupported"
    """The order needs something that this release does not know. Nothing was spent."""
    EXPIRED = "expired"
    """The event came too late to be claimed. Nothing was spent."""
    UNCLAIMED = "unclaimed"
    """The claim was not acknowledged. Nothing was spent."""
    SUPERSEDED = "superseded"
    """Another run or worker owns the job."""
    CANCELLED = "cancelled"
    """The caller cancelled the job."""
    CONTINUED = "continued"
    """The worker's time was over. Another run makes what is left."""
    WAITING = "waiting"
    """The quota has no start for a while. Another run makes what is left then."""
    UNREPORTED = "unreported"
    """The last snapshot did not arrive, or stored pictures could not be listed. The sweeper takes over
    when the lease ends."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """Result of a run: the worker returns it, logs it and counts it in the metrics."""

    ending: Ending
    seconds: float
    undelivered: int = 0
    """Number of progress snapshots and heartbeats that were given up."""
    images: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    billable_requests: int = 0
    """Number of requests that the provider may charge for."""
    throttles: int = 0
    operator_faults: int = 0
    """Number of requests that ended in an error an operator must repair."""
    models: Mapping[str, int] = field(default_factory=dict)
    """Number of pictures by the model that made them."""
    requested_models: frozenset[str] = frozenset()
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Number of failed requests by their reason."""
    defects: tuple[Exception, ...] = ()
