"""What a run achieves, and how it ends."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.errors import AccountUnusable, Misconfigured, ModelRetired, QuotaExhausted, Unauthorized
from darkroom.domain.history import MAX_EVENTS, Event, EventKind
from darkroom.domain.job import Failure

OPERATORS = frozenset(
    {error.code for error in (QuotaExhausted, Unauthorized, AccountUnusable, Misconfigured, ModelRetired)}
)
"""Codes of the faults that an operator must mend."""


class Ending(StrEnum):
    """How a run went. Only `ENDED` means the job has reached its own end."""

    EXPIRED = "expired"
    """The event came too late to be claimed; nothing was spent."""
    UNCLAIMED = "unclaimed"
    """The claim was not acknowledged; nothing was spent."""
    SUPERSEDED = "superseded"
    """Another run or worker owns the job."""
    CANCELLED = "cancelled"
    """The caller cancelled the job."""
    CONTINUED = "continued"
    """The time was over; another run makes what is left."""
    WAITING = "waiting"
    """The quota has no start for a while; another run goes on then."""
    UNREPORTED = "unreported"
    """The final snapshot did not arrive; the sweeper takes over when the lease ends."""
    ENDED = "ended"


@dataclass(kw_only=True)
class RunState:
    """What a run has achieved so far; the only thing of a run that changes."""

    images: dict[str, str]
    cost_micro_usd: int
    wasted_micro_usd: int
    failures: dict[str, Failure] = field(default_factory=dict)
    defects: list[Exception] = field(default_factory=list)
    """What no adapter was expected to raise; the shot failed, the rest of the case went on."""
    asked: frozenset[str] = frozenset()
    """The models that may be asked."""
    models: Counter[str] = field(default_factory=Counter)
    """How many pictures each model made, by its own state."""
    requests: int = 0
    """How many of this run's may cost something."""
    throttles: int = 0
    """How many were refused for the provider's rate limit."""
    postponed: list[int | None] = field(default_factory=list)
    """Of each shot left to another run: when the quota has a start for it, None if it was time that ended."""

    events: list[Event] = field(default_factory=list)
    """What the run has done, the first `MAX_EVENTS` of it."""
    events_omitted: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why requests failed, with the provider's name: how often each."""
    faults: int = 0
    """Number of requests that ended in a fault of `OPERATORS`, whoever then made the picture."""

    def note(self, event: Event) -> None:
        """Remember it, unless that would be too much to tell."""
        if event.reason:
            self.reasons[event.reason] += 1
        if event.kind is EventKind.ATTEMPT and event.outcome in OPERATORS:
            self.faults += 1
        if len(self.events) < MAX_EVENTS:
            self.events.append(event)
        else:
            self.events_omitted += 1

    @property
    def waiting_until(self) -> int | None:
        """When the next run can go on; None when nothing but time was wanting."""
        return min((at for at in self.postponed if at is not None), default=None)

    def billed(self, micro_usd: int, useful: bool) -> None:
        """A request may cost so much."""
        self.requests += 1
        self.cost_micro_usd += micro_usd
        self.wasted_micro_usd += 0 if useful else micro_usd


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What the worker answers and logs."""

    ending: Ending
    state: RunState
    seconds: float
    undelivered: int = 0
