"""The history of a job: each action on it, with its run and its author."""

from dataclasses import dataclass
from enum import StrEnum

MAX_HISTORY = 30
"""Number of entries in a job. Of a longer history the middle is forgotten."""


class Action(StrEnum):
    """Kind of an action on a job."""

    SUBMITTED = "submitted"
    REPLACED = "replaced"
    CLAIMED = "claimed"
    CONTINUED = "continued"
    WAITING = "waiting"
    SWEPT = "swept"
    SUSPECTED = "suspected"
    """Lambda has reported that the worker's invocation failed."""
    RECOVERED = "recovered"
    """Another run was scheduled because of such a report."""
    RETRIED = "retried"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One action on a job; `at` in epoch milliseconds."""

    at: int
    action: Action | str
    run: int
    by: str
    """Name of the caller, or `worker`, `sweeper` or `recovery`."""
    more: tuple[object, ...] = ()
    """Stored values that this release does not know."""
