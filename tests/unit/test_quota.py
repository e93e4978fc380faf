"""The quota of all workers: however it is asked, no minute holds more starts than the limit."""

from dataclasses import replace

import pytest
from darkroom.domain.quota import (
    HORIZON_MS,
    Account,
    Ask,
    Grant,
    Limits,
    Purse,
    Quota,
    Turn,
    paused,
    take,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000_000
DAY = 86_400_000
TEN = Limits(per_minute=10)
PRICE = 100


def ask(wanted: int, at: int = NOW, **changes: object) -> Ask:
    day_until = (at // DAY + 1) * DAY
    return replace(Ask(wanted=wanted, now=at, day_until=day_until, price=PRICE), **changes)  # type: ignore[arg-type]


def after(*asks: Ask, limits: Limits = TEN, account: Account | None = None) -> tuple[Account, list[Grant]]:
    account, grants = account or Account(), []
    for one in asks:
        account, grant = take(account, limits, one)
        grants.append(grant)
    return account, grants


def test_without_limits_everything_starts_at_once_and_nothing_is_remembered() -> None:
    account, [grant] = after(ask(14), limits=Limits())
    assert grant.starts == (NOW,) * 14
    assert account == Account()


def test_what_the_minute_does_not_hold_starts_when_the_window_has_slid() -> None:
    _, [first, second] = after(ask(14), ask(4, NOW + 2_000, idle=False))
    assert first.starts == (NOW,) * 10
    assert first.next_at > NOW + 60_000
    assert second.starts == (first.next_at,) * 4


def test_a_slow_clock_gets_no_start_before_those_that_were_handed_out() -> None:
    _, [first, second] = after(ask(1, NOW + 500), ask(1, NOW))
    assert (first.starts, second.starts) == ((NOW + 500,), (NOW + 500,))


def test_a_start_beyond_the_horizon_is_not_handed_out() -> None:
    account, [_, grant] = after(ask(10), ask(1))
    assert (grant.starts, grant.next_at) == ((), NOW + 61_000)
    assert sum(count for _, count in account.quota.starts) == 10


@given(
    per_minute=st.integers(1, 30),
    asks=st.lists(
        st.tuples(st.integers(0, 40_000), st.integers(1, 40), st.booleans(), st.integers(-900, 900)),
        max_size=40,
    ),
    pause=st.integers(0, 120_000),
)
def test_no_sixty_seconds_hold_more_starts_than_the_limit(
    per_minute: int, asks: list[tuple[int, int, bool, int]], pause: int
) -> None:
    """Whoever asks, whenever, for however many; starts are used up to their slack late."""
    limits, account, now = Limits(per_minute=per_minute), Account(), NOW
    used: list[int] = []
    for number, (wait, wanted, hedge, late) in enumerate(asks):
        now += wait
        account, grant = take(account, limits, ask(wanted, now, hedge=hedge))
        used += [at + abs(late) for at in grant.starts]
        if number == len(asks) // 2:
            account = paused(account, now + pause)
    used.sort()
    for at in used:
        assert sum(at <= other <= at + 60_000 for other in used) <= per_minute
    assert len(account.quota.starts) <= 125


@given(per_day=st.integers(1, 50), asks=st.lists(st.integers(1, 20), max_size=30))
def test_no_day_holds_more_starts_than_the_limit(per_day: int, asks: list[int]) -> None:
    limits, account, now = Limits(per_day=per_day), Account(), NOW
    used: list[int] = []
    for wanted in asks:
        now += 3_600_000
        account, grant = take(account, limits, ask(wanted, now))
        used += grant.starts
    days = [at // DAY for at in used]
    assert all(days.count(day) <= per_day for day in days)


def test_when_the_day_is_used_up_the_next_start_is_tomorrow() -> None:
    _, [_, grant] = after(ask(5), ask(1), limits=Limits(per_day=5))
    assert (grant.starts, grant.next_at) == ((), (NOW // DAY + 1) * DAY)


def test_a_pause_moves_everybodys_next_start_past_it() -> None:
    account = paused(Account(), NOW + 48_000)
    for limits in (Limits(), TEN):
        _, [grant] = after(ask(2), limits=limits, account=account)
        assert grant.starts == (NOW + 48_000,) * 2


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    account = paused(paused(Account(), NOW + 48_000), NOW + 1_000)
    assert account.quota.paused_until == NOW + 48_000


def test_an_extra_request_starts_at_once_or_not_at_all() -> None:
    _, [_, yes, no] = after(ask(9), ask(1, hedge=True, idle=False), ask(1, hedge=True, idle=False))
    assert (yes.starts, no.starts) == ((NOW,), ())


def test_whoever_is_sent_away_comes_back_one_after_the_other() -> None:
    _, [_, first, second, third] = after(ask(10), ask(5), ask(5), ask(5))
    assert [g.next_at - NOW for g in (first, second, third)] == [61_000, 91_000, 121_000]


def test_whoever_is_new_comes_after_those_that_were_sent_away_and_they_before() -> None:
    account, _ = after(ask(10), ask(20), ask(20))
    later = NOW + 61_000
    _, [new] = after(ask(1, later), account=account)
    _, [returning] = after(ask(10, later, turn=Turn.RETURNING), account=account)
    assert (new.starts, new.next_at) == ((), NOW + 61_000 + 4 * 60_000)
    assert len(returning.starts) == 10


def test_an_extra_request_does_not_overtake_those_that_were_sent_away() -> None:
    account, _ = after(ask(10), ask(5))
    _, [grant] = after(ask(1, NOW + 61_500, hedge=True, turn=Turn.RETURNING, idle=False), account=account)
    assert grant.starts == ()


def test_money_is_reserved_with_the_start_and_given_back_when_it_was_not_billed() -> None:
    purse = Purse(name="job:1", limit=1_100)
    account, [grant] = after(ask(14), account=Account(purses=(purse,)))
    assert (len(grant.starts), grant.broke) == (10, False), "the quota was the limit"
    assert account.purses[0].spent == 1_000
    account, [grant] = after(ask(3, NOW + 61_000, refund=PRICE), account=account)
    assert (len(grant.starts), grant.broke, account.purses[0].spent) == (2, True, 1_100)


@given(
    limits=st.lists(st.integers(0, 3_000), min_size=1, max_size=3),
    asks=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=20),
)
def test_no_purse_is_ever_overspent(limits: list[int], asks: list[tuple[int, int]]) -> None:
    account = Account(purses=tuple(Purse(name=str(i), limit=limit) for i, limit in enumerate(limits)))
    given = 0
    for wanted, refunds in asks:
        refund = min(refunds, given) * PRICE
        given -= refund // PRICE
        account, grant = take(account, Limits(), ask(wanted, refund=refund))
        given += len(grant.starts)
        assert all(given * PRICE <= purse.spent <= purse.limit or not given for purse in account.purses)
        assert all(purse.spent >= 0 for purse in account.purses)


def test_who_may_spend_nothing_gets_nothing_and_hears_why() -> None:
    _, [grant] = after(ask(3), account=Account(purses=(Purse(name="day", limit=PRICE - 1),)))
    assert (grant.starts, grant.broke) == ((), True)


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_day": -1}])
def test_a_limit_below_one_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Limits(**wrong)


def test_a_large_quota_is_remembered_in_few_numbers() -> None:
    account, now = Account(), NOW
    for second in range(300):
        now = NOW + second * 1_000
        account, grant = take(account, Limits(per_minute=10_000), ask(150, now))
        assert len(grant.starts) == 150
    assert len(account.quota.starts) <= 62 + HORIZON_MS // 1_000
    assert isinstance(account.quota, Quota)
