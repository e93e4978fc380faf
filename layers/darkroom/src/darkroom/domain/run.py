"""One run of a job: the order it starts with, the events it has, and the report it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.case import Case
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
    """All that a worker needs to know of one run, so that it never reads the job.

    Times are epoch milliseconds, money is millionths of a US dollar.
    """

    case: Case
    digests: Mapping[str, str]
    """Shot id → digest of its prompt, as the job has it. Storage keys contain it."""
    job_id: str
    run: int
    hop: int
    claim_before: int
    """Time after which the run must not be claimed: the sweeper may have scheduled the next run."""
    deadline_at: int
    spent_micro_usd: int
    wasted_micro_usd: int
    done: Mapping[str, str]
    """Shot id → storage key of the pictures that exist already."""
    failed: Mapping[str, Failure]
    """Shots that failed in an earlier run. Only a caller's retry makes them again."""
    webhook_url: str
    returning: bool = False
    """Whether the run before had to wait for the quota, so that this run goes before new ones."""


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
    """Something that a worker did."""

    kind: EventKind
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
    """Whether it was sent beside a late request."""
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
    """Time after which nobody needs it, in epoch milliseconds."""
    events: tuple[RunEvent, ...]
    omitted: int = 0
    """Number of events that were not kept."""


class Ending(StrEnum):
    """How a run ended. Only with `ENDED` has the job reached its own end."""

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
    """The quota has no start for a while. Another run goes on then."""
    UNREPORTED = "unreported"
    """The last snapshot did not arrive. The sweeper takes over when the lease ends."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What a run achieved and how it ended: the worker's result, log line and metrics."""

    ending: Ending
    seconds: float
    undelivered: int = 0
    """Number of snapshots that did not arrive."""
    images: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    cost_micro_usd: int = 0
    wasted_micro_usd: int = 0
    requests: int = 0
    """Number of requests that may cost something."""
    throttles: int = 0
    faults: int = 0
    """Number of requests that ended in a fault an operator must repair."""
    models: Mapping[str, int] = field(default_factory=dict)
    """Number of pictures by the model that made them."""
    requested_models: frozenset[str] = frozenset()
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Number of failed requests by their reason."""
    defects: tuple[Exception, ...] = ()
