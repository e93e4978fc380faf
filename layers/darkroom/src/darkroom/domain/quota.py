"""When requests may start: one quota for all workers of a provider's model, and money reserved with it.

The window slides and is kept exactly. Starts are handed out in order, and of a limit of L the nth
comes no sooner than 60 s and a slack after the one L before it: so no 60 s hold more than L,
wherever they begin. What was handed out and not used is lost, never given twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

HORIZON_MS = 60_000
"""A start further away is not handed out: whoever wants it had better not wait for it."""


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
    """What is known of a source's starts; times are epoch milliseconds, 0 is never."""

    starts: tuple[tuple[int, int], ...] = ()
    """When and how many, ascending; the last ones, as many as the limit. Some lie ahead."""
    last_at: int = 0
    paused_until: int = 0
    """The provider has asked everybody to wait."""
    day_until: int = 0
    day_starts: int = 0
    queue_until: int = 0
    """Whoever was sent away comes back before then; whoever is new comes after them."""


@dataclass(frozen=True, kw_only=True)
class Purse:
    """Money that may be spent on something, in micro-USD; reserved counts as spent."""

    name: str
    limit: int
    spent: int = 0


@dataclass(frozen=True, kw_only=True)
class Account:
    """All that decides whether a request may start; read and written as one."""

    quota: Quota = Quota()
    purses: tuple[Purse, ...] = ()


class Turn(StrEnum):
    """Where a run stands among those that want the quota: whoever was sent away goes before others."""

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


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The answer to an Ask."""

    starts: tuple[int, ...] = ()
    """When each request may start; ascending."""
    next_at: int = 0
    """When there is another, if fewer were given than wanted."""
    broke: bool = False
    """Fewer were given because a purse is empty."""


def take(account: Account, limits: Limits, ask: Ask) -> tuple[Account, Grant]:
    """Give what may be given; the account afterwards, which is what must be stored first."""
    quota = account.quota if limits.per_day is None else _on_its_day(account.quota, ask)
    purses = tuple(replace(p, spent=max(0, p.spent - ask.refund)) for p in account.purses)
    affordable = min((_affordable(p, ask.price) for p in purses), default=ask.wanted)
    wanted = min(ask.wanted, affordable)
    given: list[int] = []
    next_at = 0
    last = ask.now + _horizon(quota, ask)
    for at in _upcoming(quota, limits, ask):
        tomorrow = limits.per_day is not None and at >= quota.day_until
        if at > last or tomorrow:
            next_at = at
            break
        if len(given) == wanted:
            break
        given.append(at)
    quota = _with_starts(quota, limits, given)
    if not given and wanted and ask.idle and ask.turn is not Turn.RETURNING:
        next_at = max(next_at, quota.queue_until)
        ahead = ask.wanted * limits.window // limits.per_minute if limits.per_minute else 0
        quota = replace(quota, queue_until=next_at + ahead)
    reserved = len(given) * ask.price
    purses = tuple(replace(p, spent=p.spent + reserved) for p in purses)
    grant = Grant(starts=tuple(given), next_at=next_at, broke=len(given) == wanted < ask.wanted)
    return Account(quota=quota, purses=purses), grant


def paused(account: Account, until: int) -> Account:
    """Nobody starts before `until`: the provider has said so."""
    quota = account.quota
    return replace(account, quota=replace(quota, paused_until=max(quota.paused_until, until)))


def _horizon(quota: Quota, ask: Ask) -> int:
    """How far ahead of now a start may lie; below 0 nothing is given."""
    if ask.hedge:
        return -1 if quota.queue_until > ask.now else 0
    if ask.turn is Turn.NEW and quota.queue_until > ask.now + HORIZON_MS:
        return -1
    if ask.turn is Turn.GOING_ON and quota.queue_until > ask.now:
        return 0
    return HORIZON_MS


def _affordable(purse: Purse, price: int) -> int:
    return max(0, (purse.limit - purse.spent) // price)


def _on_its_day(quota: Quota, ask: Ask) -> Quota:
    """A new day has a new count; `day_until` never goes back, as a slow clock would have it."""
    if ask.now < quota.day_until:
        return quota
    return replace(quota, day_until=ask.day_until, day_starts=0)


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
