"""What is remembered of a job's past: its moves, and what each run did."""

from dataclasses import dataclass
from enum import StrEnum

MAX_HISTORY = 30
"""So many lie in the job itself; of more, those in the middle are forgotten."""

MAX_EVENTS = 240
"""So many of a run are told. A case of 14 has about 30, one of 100 about 170."""


class Action(StrEnum):
    """What happened to a job."""

    SUBMITTED = "submitted"
    REPLACED = "replaced"
    CLAIMED = "claimed"
    CONTINUED = "continued"
    WAITING = "waiting"
    SWEPT = "swept"
    RETRIED = "retried"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """Something that happened to a job, when, in which run, and who did it; `at` in epoch milliseconds."""

    at: int
    action: Action
    run: int
    by: str


class EventKind(StrEnum):
    """What a worker did."""

    ATTEMPT = "attempt"
    """One request for a shot."""
    WAIT = "wait"
    """A shot waited: for the quota, or before another try."""
    BATCH = "batch"
    SNAPSHOT = "snapshot"
    """One try to deliver one."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something a worker did; `at` in epoch milliseconds."""

    kind: EventKind
    at: int
    milliseconds: int
    outcome: str
    reason: str = ""
    """The outcome in words, for the worker's own log; it travels nowhere."""
    number: int | None = None
    """Of the try of its shot, of the batch, or of the snapshot."""
    shot_id: str | None = None
    hedge: bool = False
    """Whether it was sent beside a late one."""
    cost_micro_usd: int = 0


@dataclass(frozen=True, kw_only=True)
class RunLog:
    """Everything a run has done so far, as its worker tells it."""

    case_id: str
    job_id: str
    run: int
    sequence: int
    """Of the snapshot that told it."""
    expires_at: int
    """Nobody needs it after that, in epoch milliseconds."""
    events: tuple[Event, ...]
    omitted: int = 0
    """How many more there were than are told."""
