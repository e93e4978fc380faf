"""When requests may start: one quota for all workers of a provider's model, and money reserved with it.

The window slides and is kept exactly. Starts are handed out in order, and of a limit of L the nth
comes no sooner than 60 s and a slack after the one L before it: so no 60 s hold more than L,
wherever they begin. What was handed out and not used is lost, never given twice.

Pauses and the queue are kept on trust, so both are bounded: one bad answer, or a caller who cancels
and retries, can make others wait for minutes at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

HORIZON_MS = 60_000
"""A start further away is not handed out: whoever wants it had better not wait for it."""

QUEUE_MS = 90_000
"""The queue ends so long after a run was last sent away for want of a start."""
_QUEUE_STEP_MS = 15_000
"""A queue that ends later than that before its longest is not written anew: the item is hot."""

LONGEST_PAUSE_MS = 600_000
"""A provider is asked again after that, whatever delay it has named."""
_CLOCKS_DIFFER_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one provider's model; None is without limit. Times in milliseconds."""

    per_minute: int | None = None
    per_day: int | None = None
    window: int = 60_000
    slack: int = 1_000
    """A start is used within so long of its time, or not at all."""
    tick: int = 1_000
    """Starts are remembered rounded up to this, so that the record stays small."""

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 1 for limit in (self.per_minute, self.per_day)):
            raise ValueError("a limit must be 1 or more, or None")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """What is known of a image_model's starts; times are epoch milliseconds, 0 is never."""

    starts: tuple[tuple[int, int], ...] = ()
    """When and how many, ascending; the last ones, as many as the limit. Some lie ahead."""
    last_at: int = 0
    paused_until: int = 0
    """The provider has asked everybody to wait."""
    day_until: int = 0
    day_starts: int = 0
    queue_until: int = 0
    """Runs were sent away for want of a start; until then new runs wait, so that those come first."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Money that may be spent on something, in micro-USD; reserved counts as spent."""

    name: str
    limit: int
    spent: int = 0
    needed_until: int = 0
    """The deadline of what spends from it, in epoch milliseconds."""


@dataclass(frozen=True, kw_only=True)
class QuotaState:
    """All that decides whether a request may start; read and written as one."""

    quota: Quota = Quota()
    budgets: tuple[Budget, ...] = ()


class Turn(StrEnum):
    """Place of a run among those that want the quota.

    Who was sent away goes before who is new, as far as `QUEUE_MS` reaches: no run has a place of its own.
    """

    NEW = "new"
    RETURNING = "returning"
    """The quota had sent it, or the run before it, away: this is its time."""
    GOING_ON = "going on"
    """It has had its turn, and wants more."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A run's wish for starts."""

    wanted: int
    now: int
    day_until: int
    """When the provider's day ends."""
    price: int
    """Of one request, in micro-USD."""
    refund: int = 0
    """What was reserved earlier and turned out not to be billed."""
    turn: Turn = Turn.NEW
    idle: bool = True
    """Nothing of it is in flight: if it gets nothing, it leaves and comes back."""
    hedge: bool = False
    """Only if it may start at once."""
    deadline_at: int | None = None
    """The end of the job in epoch milliseconds: a run refused until then does not come back."""
    usable: int = HORIZON_MS
    """Milliseconds from now in which the run has time for a start: a later one would be wasted."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The answer to an Ask."""

    starts: tuple[int, ...] = ()
    """When each request may start; ascending."""
    next_at: int = 0
    """Time of the quota's next start, whoever gets it, if fewer were given than wanted."""
    ask_at: int = 0
    """Time to ask for it: `next_at`, or later for those that others go before."""
    broke: bool = False
    """Fewer were given because a budget is empty."""


def take(state: QuotaState, limits: Limits, ask: Ask) -> tuple[QuotaState, Grant]:
    """Give what may be given; the state afterwards, which is what must be stored first."""
    quota = _believed(state.quota, ask.now)
    if limits.per_day is not None:
        quota = _on_its_day(quota, ask)
    budgets = tuple(replace(p, spent=max(0, p.spent - ask.refund)) for p in state.budgets)
    affordable = min((_affordable(p, ask.price) for p in budgets), default=ask.wanted)
    wanted = min(ask.wanted, affordable)
    given, next_at = _handed_out(quota, limits, ask, wanted)
    ask_at = _ask_at(quota, limits, ask, next_at)
    quota = _with_starts(quota, limits, given)
    if not given and wanted and _starts_a_queue(quota, limits, ask, next_at):
        quota = replace(quota, queue_until=ask.now + QUEUE_MS)
    reserved = len(given) * ask.price
    budgets = tuple(replace(p, spent=p.spent + reserved) for p in budgets)
    grant = Grant(
        starts=tuple(given),
        next_at=next_at,
        ask_at=ask_at,
        broke=len(given) == wanted < ask.wanted,
    )
    return QuotaState(quota=quota, budgets=budgets), grant


def pause_ms(seconds: float) -> int:
    """Return how long everybody waits when a provider asks for a delay, whatever number it is."""
    return round(min(max(0.0, seconds), LONGEST_PAUSE_MS / 1000) * 1000)


def paused(state: QuotaState, until: int, *, now: int) -> QuotaState:
    """Nobody starts before `until`: the provider has said so. Bounded by `LONGEST_PAUSE_MS`."""
    quota = _believed(state.quota, now)
    until = min(until, now + LONGEST_PAUSE_MS)
    return replace(state, quota=replace(quota, paused_until=max(quota.paused_until, until)))


def paused_until(state: QuotaState, *, now: int) -> int:
    """Return when the provider's pause ends; in the past when there is none."""
    return _believed(state.quota, now).paused_until


def at_least(state: QuotaState, budgets: Sequence[Budget]) -> QuotaState:
    """Return the state with budgets that hold no less than those of the same name in `budgets`.

    A budget that was forgotten, or that its job did not have before, begins with what the job has cost.
    """
    known = {budget.name: budget for budget in budgets}
    raised = (_at_least(budget, known.get(budget.name, budget)) for budget in state.budgets)
    return replace(state, budgets=tuple(raised))


def _at_least(budget: Budget, known: Budget) -> Budget:
    spent, until = max(budget.spent, known.spent), max(budget.needed_until, known.needed_until)
    return replace(budget, spent=spent, needed_until=until)


def _believed(quota: Quota, now: int) -> Quota:
    """Return `quota` without what cannot be: a pause or a queue that ends too far ahead."""
    longest = now + LONGEST_PAUSE_MS + _CLOCKS_DIFFER_MS
    return replace(
        quota,
        paused_until=quota.paused_until if quota.paused_until <= longest else 0,
        queue_until=min(quota.queue_until, now + QUEUE_MS),
    )


def _handed_out(quota: Quota, limits: Limits, ask: Ask, wanted: int) -> tuple[list[int], int]:
    """Return the starts that may be given, and when the next one comes if they are fewer than wanted."""
    given: list[int] = []
    last = ask.now + min(_horizon(quota, ask), ask.usable)
    for at in _upcoming(quota, limits, ask):
        tomorrow = limits.per_day is not None and at >= quota.day_until
        if at > last or tomorrow:
            return given, at
        if len(given) == wanted:
            break
        given.append(at)
    return given, 0


def _starts_a_queue(quota: Quota, limits: Limits, ask: Ask, next_at: int) -> bool:
    """Return whether a run that got nothing makes new ones wait until it has come back.

    Only where the minute is the limit, and only if the quota has no start for a while: a run that is
    sent away because others go first leaves no trace, nor does one that does not come back.
    """
    if limits.per_minute is None or not ask.idle or _waits_for_others(quota, ask):
        return False
    if ask.deadline_at is not None and next_at >= ask.deadline_at:
        return False
    return next_at > ask.now + HORIZON_MS and quota.queue_until < ask.now + QUEUE_MS - _QUEUE_STEP_MS


def _waits_for_others(quota: Quota, ask: Ask) -> bool:
    return ask.turn is Turn.NEW and quota.queue_until > ask.now


def _ask_at(quota: Quota, limits: Limits, ask: Ask, next_at: int) -> int:
    """Return when to ask again: who was sent away before goes first, and who has had a turn goes last."""
    if limits.per_minute is None or ask.turn is Turn.RETURNING:
        return next_at
    if ask.turn is Turn.NEW:
        return max(next_at, quota.queue_until)
    if ask.idle:
        return max(next_at + limits.tick, quota.queue_until)
    return next_at


def _horizon(quota: Quota, ask: Ask) -> int:
    """How far ahead of now a start may lie; below 0 nothing is given."""
    if ask.hedge:
        return -1 if quota.queue_until > ask.now else 0
    if _waits_for_others(quota, ask):
        return -1
    if ask.turn is Turn.GOING_ON and quota.queue_until > ask.now:
        return 0
    return HORIZON_MS


def _affordable(budget: Budget, price: int) -> int:
    return max(0, (budget.limit - budget.spent) // price)


def _on_its_day(quota: Quota, ask: Ask) -> Quota:
    """A new day has a new count. A day ends when the provider's does, or a little later by a slow clock."""
    if ask.now >= quota.day_until:
        return replace(quota, day_until=ask.day_until, day_starts=0)
    if quota.day_until > ask.day_until and ask.day_until - ask.now > _CLOCKS_DIFFER_MS:
        return replace(quota, day_until=ask.day_until)
    return quota


def _upcoming(quota: Quota, limits: Limits, ask: Ask) -> Iterator[int]:
    """When each further start may come, for ever."""
    per_minute, per_day = limits.per_minute, limits.per_day
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
