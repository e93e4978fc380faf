"""The quota of an image model: starts for the requests of all workers, and money reserved with each start.

A *start* is the right to send one request at a given time.

The window slides. Starts are handed out in order; with a limit of L a start comes at least 60 s and a slack
after the start that lies L before it. So no 60 s hold more than L starts, wherever they begin. A start that
was handed out and not used is lost; it is never handed out twice.

Pauses and the queue are bounded: one bad response of a provider, or a caller who cancels and retries,
makes others wait for minutes at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from darkroom.domain.words import Unknown

HORIZON_MS = 60_000
"""Milliseconds ahead within which a start is handed out. A run does not wait longer for one."""

QUEUE_MS = 90_000
"""Milliseconds for which the queue lasts after a run was last sent away without a start."""
_QUEUE_STEP_MS = 15_000
"""Milliseconds by which the queue must have aged before it is written again, because the item is busy."""

LONGEST_PAUSE_MS = 600_000
"""Longest pause in milliseconds, whatever delay a provider has named."""
_NO_START = -1
"""Reach of a run that waits until others have come back."""

_ONLY_NOW = 0
"""Reach of a run that may take only a start that nobody else could use now."""

_CLOCKS_DIFFER_MS = 1_000
"""Most milliseconds by which the clocks of two workers differ."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one image model's starts; None is no limit. Times in milliseconds."""

    per_minute: int | None = None
    per_day: int | None = None
    window: int = 60_000
    slack: int = 1_000
    """Time after a start's own time within which it must be used."""
    tick: int = 1_000
    """Unit to which recorded times of starts are rounded up, so that the record stays small."""

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 1 for limit in (self.per_minute, self.per_day)):
            raise ValueError("a limit must be 1 or more, or None")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Recent starts of an image model, its pause and its queue. Times are epoch milliseconds, 0 is never."""

    starts: tuple[tuple[int, int], ...] = ()
    """Recent starts as (time, count), ascending, at most `per_minute` in total. May lie in the future."""
    last_at: int = 0
    paused_until: int = 0
    """Time before which no worker starts a request, because the provider has refused one for its rate."""
    day_until: int = 0
    day_starts: int = 0
    queue_until: int = 0
    """Time until which new runs wait, so that runs that were sent away without a start come first."""
    unknown: Unknown = field(default_factory=dict)
    """Stored attributes that this release does not know."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Money that may be spent on a job or on a day, in micro-USD. Reserved money counts as spent."""

    name: str
    limit: int
    spent: int = 0
    needed_until: int = 0
    """Latest deadline of what spends from it, in epoch milliseconds."""
    unknown: Unknown = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class QuotaState:
    """Quota and budgets, which together decide about a start. They are read and written as one."""

    quota: Quota = field(default_factory=Quota)
    budgets: tuple[Budget, ...] = ()


class Turn(StrEnum):
    """Rank of a run among those that want the quota.

    Runs that were sent away go before new ones, for `QUEUE_MS` at most. No run has a place of its own.
    """

    NEW = "new"
    RETURNING = "returning"
    """It, or the run before it, was sent away without a start and has come back."""
    SERVED = "served"
    """It has had starts and wants more. It goes last."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A run's request for starts."""

    wanted: int
    now: int
    day_until: int
    """End of the provider's day."""
    price: int
    """Price of one request, in micro-USD."""
    refund: int = 0
    """Money that was reserved earlier and not billed."""
    turn: Turn = Turn.NEW
    idle: bool = True
    """True if the run has no request in flight: without a start it then ends and comes back later."""
    hedge: bool = False
    """True if the start is for an extra request, which is sent at once or not at all."""
    deadline_at: int | None = None
    """Deadline of the job, in epoch milliseconds. A run that is refused until then does not come back."""
    usable: int = HORIZON_MS
    """Milliseconds from now after which a start would be of no use to the run."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The response to an Ask."""

    starts: tuple[int, ...] = ()
    """Times at which requests may start, ascending."""
    next_at: int = 0
    """Time of the quota's next start for anybody, if fewer were granted than wanted."""
    ask_at: int = 0
    """Time at which to ask again: `next_at`, or later for a run that others go before."""
    broke: bool = False
    """True if fewer were granted because a budget is used up."""


def grant_starts(state: QuotaState, limits: Limits, ask: Ask) -> tuple[QuotaState, Grant]:
    """Return the state after a grant, and the grant. Store the state before the grant is used."""
    quota = _without_absurd_times(state.quota, ask.now)
    if limits.per_day is not None:
        quota = _on_its_day(quota, ask)
    budgets = tuple(replace(budget, spent=max(0, budget.spent - ask.refund)) for budget in state.budgets)
    affordable = min((_affordable(budget, ask.price) for budget in budgets), default=ask.wanted)
    wanted = min(ask.wanted, affordable)
    given, next_at = _handed_out(quota, limits, ask, wanted)
    ask_at = _ask_at(quota, limits, ask, next_at)
    quota = _with_starts(quota, limits, given)
    if not given and wanted and _starts_a_queue(quota, limits, ask, next_at):
        quota = replace(quota, queue_until=ask.now + QUEUE_MS)
    reserved = len(given) * ask.price
    budgets = tuple(replace(budget, spent=budget.spent + reserved) for budget in budgets)
    grant = Grant(
        starts=tuple(given),
        next_at=next_at,
        ask_at=ask_at,
        broke=len(given) == wanted < ask.wanted,
    )
    return QuotaState(quota=quota, budgets=budgets), grant


def pause_ms(seconds: float) -> int:
    """Return the milliseconds of the pause when a provider names a delay, whatever number it is."""
    return round(min(max(0.0, seconds), LONGEST_PAUSE_MS / 1000) * 1000)


def paused(state: QuotaState, until: int, *, now: int) -> QuotaState:
    """Return the state with a pause until then, or until `LONGEST_PAUSE_MS` from now if that is earlier."""
    quota = _without_absurd_times(state.quota, now)
    until = min(until, now + LONGEST_PAUSE_MS)
    return replace(state, quota=replace(quota, paused_until=max(quota.paused_until, until)))


def paused_until(state: QuotaState, *, now: int) -> int:
    """Return the time at which the pause ends; in the past when there is none."""
    return _without_absurd_times(state.quota, now).paused_until


def with_known_spending(state: QuotaState, budgets: Sequence[Budget]) -> QuotaState:
    """Return the state, each budget spent at least as far as the one of the same name in `budgets`.

    A budget that has expired, or that its job did not have before, begins with what the job has cost.
    """
    known = {budget.name: budget for budget in budgets}
    raised = (_with_known_spending(budget, known.get(budget.name, budget)) for budget in state.budgets)
    return replace(state, budgets=tuple(raised))


def _with_known_spending(budget: Budget, known: Budget) -> Budget:
    return replace(
        budget,
        spent=max(budget.spent, known.spent),
        needed_until=max(budget.needed_until, known.needed_until),
    )


def _without_absurd_times(quota: Quota, now: int) -> Quota:
    """Return `quota` without a pause or a queue that ends too far ahead to be true."""
    longest = now + LONGEST_PAUSE_MS + _CLOCKS_DIFFER_MS
    return replace(
        quota,
        paused_until=quota.paused_until if quota.paused_until <= longest else 0,
        queue_until=min(quota.queue_until, now + QUEUE_MS),
    )


def _handed_out(quota: Quota, limits: Limits, ask: Ask, wanted: int) -> tuple[list[int], int]:
    """Return the starts that are granted, and the time of the next one if they are fewer than wanted."""
    given: list[int] = []
    last = ask.now + min(_reach(quota, ask), ask.usable)
    for at in _upcoming(quota, limits, ask):
        tomorrow = limits.per_day is not None and at >= quota.day_until
        if at > last or tomorrow:
            return given, at
        if len(given) == wanted:
            break
        given.append(at)
    return given, 0


def _starts_a_queue(quota: Quota, limits: Limits, ask: Ask, next_at: int) -> bool:
    """Return True if a run that got no start makes new runs wait until it has come back.

    It does only where the minute is limited and the quota has no start for a while. A run that is sent
    away because others go first does not, nor does a run that will not come back.
    """
    if limits.per_minute is None or not ask.idle or _waits_for_others(quota, ask):
        return False
    if ask.deadline_at is not None and next_at >= ask.deadline_at:
        return False
    return next_at > ask.now + HORIZON_MS and quota.queue_until < ask.now + QUEUE_MS - _QUEUE_STEP_MS


def _waits_for_others(quota: Quota, ask: Ask) -> bool:
    """Return True if the run is new and others, who were sent away, go first."""
    return ask.turn is Turn.NEW and quota.queue_until > ask.now


def _ask_at(quota: Quota, limits: Limits, ask: Ask, next_at: int) -> int:
    """Return the time to ask again: runs that were sent away go first, runs that have had starts go last."""
    if limits.per_minute is None or ask.turn is Turn.RETURNING:
        return next_at
    if ask.turn is Turn.NEW:
        return max(next_at, quota.queue_until)
    if ask.idle:
        return max(next_at + limits.tick, quota.queue_until)
    return next_at


def _reach(quota: Quota, ask: Ask) -> int:
    """Return the milliseconds ahead of now within which the run may get a start."""
    others_wait = quota.queue_until > ask.now
    if ask.hedge:
        return _NO_START if others_wait else _ONLY_NOW
    if _waits_for_others(quota, ask):
        return _NO_START
    if ask.turn is Turn.SERVED and others_wait:
        return _ONLY_NOW
    return HORIZON_MS


def _affordable(budget: Budget, price: int) -> int:
    return max(0, (budget.limit - budget.spent) // price)


def _on_its_day(quota: Quota, ask: Ask) -> Quota:
    """Return the quota on the day of the request. A new day has a new count.

    A day ends when the provider's day does, or a little later by a slow clock.
    """
    if ask.now >= quota.day_until:
        return replace(quota, day_until=ask.day_until, day_starts=0)
    if quota.day_until > ask.day_until and ask.day_until - ask.now > _CLOCKS_DIFFER_MS:
        return replace(quota, day_until=ask.day_until)
    return quota


def _upcoming(quota: Quota, limits: Limits, ask: Ask) -> Iterator[int]:
    """Yield the time of each further start, without end."""
    per_minute = limits.per_minute
    per_day = limits.per_day
    remembered = [at for at, count in quota.starts for _ in range(count)]
    at = max(ask.now, quota.paused_until)
    today = quota.day_starts
    if per_minute is not None:
        at = max(at, quota.last_at)
    while True:
        if per_minute is not None and len(remembered) >= per_minute:
            at = max(at, remembered[-per_minute] + limits.window + limits.slack)
        if per_day is not None and today >= per_day:
            at = max(at, quota.day_until)
        yield at
        remembered.append(_rounded_up(at, limits.tick))
        today += 1


def _with_starts(quota: Quota, limits: Limits, given: list[int]) -> Quota:
    if not given:
        return quota
    today = quota.day_starts + len(given) if limits.per_day is not None else 0
    if limits.per_minute is None:
        return replace(quota, day_starts=today)
    remembered = [at for at, count in quota.starts for _ in range(count)]
    remembered += [_rounded_up(at, limits.tick) for at in given]
    counted = [(at, len(list(same))) for at, same in groupby(remembered[-limits.per_minute :])]
    return replace(quota, starts=tuple(counted), last_at=given[-1], day_starts=today)


def _rounded_up(at: int, tick: int) -> int:
    return -(-at // tick) * tick
