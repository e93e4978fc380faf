"""Lost workers in the record of a job: the one that is suspected, and those that were replaced."""

from dataclasses import dataclass
from enum import StrEnum


class LossReason(StrEnum):
    """Reason that Lambda gives for the failure of a worker's invocation."""

    MEMORY = "memory"
    TIMEOUT = "timeout"
    CRASH = "crash"


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """The suspicion that the worker of the current run is dead: Lambda reported a failed invocation."""

    at: int
    """Time of the suspicion, in epoch milliseconds."""
    reason: LossReason | str


@dataclass(frozen=True, kw_only=True)
class Ghosts:
    """The runs that were taken over while their workers may be alive. Money is in micro-USD."""

    until: int | None = None
    """Time until which such a worker may be alive; None when there is none. Then its pictures are counted."""
    first_run: int = 1
    """Number of the first run whose pictures are not counted yet."""
    cost_micro_usd: int = 0
    """Cost of pictures found since the current run was scheduled. Its worker does not count it."""
    wasted_micro_usd: int = 0
    """Part of that cost whose pictures are not used."""


NO_GHOSTS = Ghosts()
