"""The quota of all workers: no order of requests makes a minute hold more starts than the limit."""

from dataclasses import replace

import pytest
from darkroom.domain.quota import (
    HORIZON_MS,
    LONGEST_PAUSE_MS,
    QUEUE_MS,
    Ask,
    Budget,
    Grant,
    Limits,
    Quota,
    QuotaState,
    Turn,
    grant_starts,
    pause_ms,
    paused,
    paused_until,
    with_known_spending,
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


def after(
    *asks: Ask, limits: Limits = TEN, state: QuotaState | None = None
) -> tuple[QuotaState, list[Grant]]:
    state, grants = state or QuotaState(), []
    for one in asks:
        state, grant = grant_starts(state, limits, one)
        grants.append(grant)
    return state, grants


def test_without_limits_everything_starts_at_once_and_nothing_is_stored() -> None:
    state, [grant] = after(ask(14), limits=Limits())
    assert grant.starts == (NOW,) * 14
    assert state == QuotaState()


def test_starts_beyond_the_minutes_limit_come_when_the_window_has_slid() -> None:
    _, [first, second] = after(ask(14), ask(4, NOW + 2_000, idle=False))
    assert first.starts == (NOW,) * 10
    assert first.next_at > NOW + 60_000
    assert second.starts == (first.next_at,) * 4


def test_a_slow_clock_gets_no_start_before_those_that_were_handed_out() -> None:
    _, [first, second] = after(ask(1, NOW + 500), ask(1, NOW))
    assert (first.starts, second.starts) == ((NOW + 500,), (NOW + 500,))


def test_a_start_beyond_the_horizon_is_not_handed_out() -> None:
    state, [_, grant] = after(ask(10), ask(1))
    assert (grant.starts, grant.next_at) == ((), NOW + 61_000)
    assert sum(count for _, count in state.quota.starts) == 10


def test_a_start_that_comes_too_late_for_the_run_is_not_granted() -> None:
    """Otherwise each run of a job wastes the starts of the next one, and none is ever used."""
    state, [_, short, long] = after(
        ask(10),
        ask(4, NOW + 30_000, usable=20_000, turn=Turn.RETURNING),
        ask(4, NOW + 30_000, turn=Turn.RETURNING),
    )
    assert (short.starts, short.next_at) == ((), NOW + 61_000)
    assert long.starts == (NOW + 61_000,) * 4
    assert state.quota.queue_until == 0


@given(
    per_minute=st.integers(1, 30),
    asks=st.lists(
        st.tuples(
            st.integers(0, 40_000),
            st.integers(1, 40),
            st.booleans(),
            st.sampled_from(Turn),
            st.booleans(),
            st.integers(-900, 900),
        ),
        max_size=40,
    ),
    pause=st.integers(0, 120_000),
    queue=st.integers(0, 10 * DAY),
)
def test_no_sixty_seconds_hold_more_starts_than_the_limit(
    per_minute: int, asks: list[tuple[int, int, bool, Turn, bool, int]], pause: int, queue: int
) -> None:
    """Requests of any size come at any time. Starts are used late, up to their slack."""
    limits, state, now = Limits(per_minute=per_minute), QuotaState(), NOW
    used: list[int] = []
    for number, (wait, wanted, hedge, turn, idle, late) in enumerate(asks):
        now += wait
        state, grant = grant_starts(state, limits, ask(wanted, now, hedge=hedge, turn=turn, idle=idle))
        used += [at + abs(late) for at in grant.starts]
        assert state.quota.queue_until <= now + QUEUE_MS
        if number == len(asks) // 2:
            state = paused(state, now + pause, now=now)
            state = replace(state, quota=replace(state.quota, queue_until=now + queue))
    used.sort()
    for at in used:
        assert sum(at <= other <= at + 60_000 for other in used) <= per_minute
    assert len(state.quota.starts) <= 125


@given(per_day=st.integers(1, 50), asks=st.lists(st.integers(1, 20), max_size=30))
def test_no_day_holds_more_starts_than_the_limit(per_day: int, asks: list[int]) -> None:
    limits, state, now = Limits(per_day=per_day), QuotaState(), NOW
    used: list[int] = []
    for wanted in asks:
        now += 3_600_000
        state, grant = grant_starts(state, limits, ask(wanted, now))
        used += grant.starts
    days = [at // DAY for at in used]
    assert all(days.count(day) <= per_day for day in days)


def test_when_the_day_is_used_up_the_next_start_is_tomorrow() -> None:
    _, [_, grant] = after(ask(5), ask(1), limits=Limits(per_day=5))
    assert (grant.starts, grant.next_at) == ((), (NOW // DAY + 1) * DAY)


def test_a_pause_moves_everybodys_next_start_past_it() -> None:
    state = paused(QuotaState(), NOW + 48_000, now=NOW)
    for limits in (Limits(), TEN):
        _, [grant] = after(ask(2), limits=limits, state=state)
        assert grant.starts == (NOW + 48_000,) * 2


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    state = paused(paused(QuotaState(), NOW + 48_000, now=NOW), NOW + 1_000, now=NOW)
    assert state.quota.paused_until == NOW + 48_000


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [
        (0.25, 250),
        (600, 600_000),
        (600.1, 600_000),
        (2_592_000, 600_000),
        (1e308, 600_000),
        (float("inf"), 600_000),
        (10**400, 600_000),
        (-9, 0),
        (float("-inf"), 0),
        (float("nan"), 0),
    ],
)
def test_a_delay_is_never_longer_than_ten_minutes_whatever_number_a_server_names(
    seconds: float, milliseconds: int
) -> None:
    assert pause_ms(seconds) == milliseconds


def test_a_pause_ends_after_ten_minutes_at_most() -> None:
    state = paused(QuotaState(), NOW + DAY, now=NOW)
    assert state.quota.paused_until == NOW + LONGEST_PAUSE_MS


@pytest.mark.parametrize("ahead", [LONGEST_PAUSE_MS + 1_001, 30 * DAY, 10**30])
def test_a_stored_pause_that_is_too_long_to_be_true_is_ignored(ahead: int) -> None:
    stored = QuotaState(quota=Quota(paused_until=NOW + ahead))
    assert paused_until(stored, now=NOW) == 0
    for limits in (Limits(), TEN):
        state, [grant] = after(ask(2), limits=limits, state=stored)
        assert (grant.starts, state.quota.paused_until) == ((NOW, NOW), 0)
    assert paused(stored, NOW + 5_000, now=NOW).quota.paused_until == NOW + 5_000


def test_the_longest_pause_is_kept_also_by_a_clock_that_is_a_second_slow() -> None:
    state = paused(QuotaState(), NOW + LONGEST_PAUSE_MS, now=NOW)
    assert paused_until(state, now=NOW - 1_000) == NOW + LONGEST_PAUSE_MS


@pytest.mark.parametrize("stored", [NOW // DAY * DAY + 2 * DAY, NOW + 10**30])
def test_a_stored_day_ends_when_the_providers_day_does(stored: int) -> None:
    midnight = (NOW // DAY + 1) * DAY
    full = QuotaState(quota=Quota(day_until=stored, day_starts=5))
    state, [grant] = after(ask(1), limits=Limits(per_day=5), state=full)
    assert (grant.starts, grant.next_at) == ((), midnight)
    _, [tomorrow] = after(ask(1, midnight), limits=Limits(per_day=5), state=state)
    assert tomorrow.starts == (midnight,)


def test_a_clock_that_is_a_second_slow_does_not_take_a_day_back() -> None:
    midnight = (NOW // DAY + 1) * DAY
    state, [first] = after(ask(5, midnight), limits=Limits(per_day=5))
    state, [slow] = after(ask(1, midnight - 1_000), limits=Limits(per_day=5), state=state)
    assert (len(first.starts), slow.starts) == (5, ())
    assert state.quota.day_until == midnight + DAY


def test_an_extra_request_starts_at_once_or_not_at_all() -> None:
    _, [_, yes, no] = after(ask(9), ask(1, hedge=True, idle=False), ask(1, hedge=True, idle=False))
    assert (yes.starts, no.starts) == ((NOW,), ())


def test_new_runs_wait_while_runs_that_were_sent_away_are_expected_back() -> None:
    state, [_, away] = after(ask(10), ask(20))
    assert (away.starts, away.next_at, away.ask_at) == ((), NOW + 61_000, NOW + 61_000)
    assert state.quota.queue_until == NOW + QUEUE_MS
    later = NOW + 61_000
    _, [new] = after(ask(1, later), state=state)
    _, [returning] = after(ask(10, later, turn=Turn.RETURNING), state=state)
    assert (new.starts, new.next_at, new.ask_at) == ((), later, NOW + QUEUE_MS)
    assert len(returning.starts) == 10


def test_the_queue_ends_ninety_seconds_after_the_last_run_was_sent_away() -> None:
    state, _ = after(ask(10), ask(20))
    before, at = NOW + QUEUE_MS - 1, NOW + QUEUE_MS
    _, [new] = after(ask(1, before), state=state)
    assert new.starts == ()
    _, [new] = after(ask(1, at), state=state)
    assert new.starts == (at,)


def test_a_run_that_waits_for_others_changes_nothing() -> None:
    """Otherwise a caller who cancels and retries all day makes the queue grow for ever."""
    state, _ = after(ask(10), ask(20))
    for second in range(1, 90):
        again, [grant] = after(ask(14, NOW + second * 1_000), state=state)
        assert (grant.starts, again) == ((), state)


@pytest.mark.parametrize("turn", [Turn.RETURNING, Turn.SERVED])
def test_a_run_without_a_start_for_a_minute_makes_new_runs_wait(turn: Turn) -> None:
    state, [_, refused] = after(ask(10), ask(10, turn=turn))
    assert (refused.starts, refused.next_at) == ((), NOW + 61_000)
    assert state.quota.queue_until == NOW + QUEUE_MS


@pytest.mark.parametrize("turn", Turn)
def test_a_run_with_requests_in_flight_makes_nobody_wait(turn: Turn) -> None:
    state, [_, refused] = after(ask(10), ask(10, turn=turn, idle=False))
    assert (refused.starts, state.quota.queue_until) == ((), 0)


def test_a_queue_is_written_anew_when_it_is_fifteen_seconds_old() -> None:
    state = QuotaState(quota=Quota(paused_until=NOW + 300_000))
    state, _ = after(ask(1), state=state)
    same, _ = after(ask(1, NOW + 15_000, turn=Turn.RETURNING), state=state)
    assert same == state
    newer, _ = after(ask(1, NOW + 15_001, turn=Turn.RETURNING), state=state)
    assert newer.quota.queue_until == NOW + 15_001 + QUEUE_MS


def test_a_run_that_has_had_starts_requests_more_after_runs_that_were_sent_away() -> None:
    state, [_, away] = after(ask(10), ask(20))
    later = NOW + 60_000
    same, [idle] = after(ask(5, later, turn=Turn.SERVED), state=state)
    assert same == state, "the quota has a start soon: others are to have it"
    assert (idle.starts, idle.next_at, idle.ask_at) == ((), NOW + 61_000, NOW + QUEUE_MS)
    _, [busy] = after(ask(5, later, turn=Turn.SERVED, idle=False), state=state)
    assert (busy.starts, busy.ask_at) == ((), away.ask_at)
    _, [_, alone] = after(ask(10), ask(5, turn=Turn.SERVED))
    assert away.ask_at < alone.ask_at <= away.ask_at + 1_000, "and at once after them"
    _, [free] = after(ask(5, NOW + 61_000, turn=Turn.SERVED), state=state)
    assert len(free.starts) == 5, "what is free at once nobody else is here to take"


def test_a_run_that_would_come_back_after_its_deadline_makes_nobody_wait() -> None:
    state, [_, refused] = after(ask(10), ask(20, deadline_at=NOW + 61_000))
    assert (refused.starts, refused.next_at, state.quota.queue_until) == ((), NOW + 61_000, 0)
    state, _ = after(ask(10), ask(20, deadline_at=NOW + 61_001))
    assert state.quota.queue_until == NOW + QUEUE_MS


@pytest.mark.parametrize("limits", [Limits(), Limits(per_day=1)])
def test_without_a_limit_a_minute_nobody_queues(limits: Limits) -> None:
    state, _ = after(ask(1), ask(1), limits=limits, state=paused(QuotaState(), NOW + 90_000, now=NOW))
    assert state.quota.queue_until == 0


@pytest.mark.parametrize("ahead", [QUEUE_MS + 1, 30 * DAY])
def test_a_stored_queue_that_is_too_long_is_cut_and_then_ends(ahead: int) -> None:
    stored = QuotaState(quota=Quota(queue_until=NOW + ahead))
    state, [new] = after(ask(1), state=stored)
    assert (new.starts, new.next_at, new.ask_at) == ((), NOW, NOW + QUEUE_MS)
    assert state.quota.queue_until == NOW + QUEUE_MS
    _, [later] = after(ask(1, NOW + QUEUE_MS), state=state)
    assert later.starts == (NOW + QUEUE_MS,)


def test_an_extra_request_does_not_go_before_runs_that_were_sent_away() -> None:
    state, _ = after(ask(10), ask(5))
    _, [grant] = after(ask(1, NOW + 61_500, hedge=True, turn=Turn.RETURNING, idle=False), state=state)
    assert grant.starts == ()


def test_money_is_reserved_with_the_start_and_given_back_when_it_was_not_billed() -> None:
    budget = Budget(name="job:1", limit=1_100)
    state, [grant] = after(ask(14), state=QuotaState(budgets=(budget,)))
    assert (len(grant.starts), grant.broke) == (10, False), "the quota was the limit"
    assert state.budgets[0].spent == 1_000
    state, [grant] = after(ask(3, NOW + 61_000, refund=PRICE), state=state)
    assert (len(grant.starts), grant.broke, state.budgets[0].spent) == (2, True, 1_100)


@given(
    limits=st.lists(st.integers(0, 3_000), min_size=1, max_size=3),
    asks=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=20),
)
def test_no_budget_is_ever_overspent(limits: list[int], asks: list[tuple[int, int]]) -> None:
    state = QuotaState(budgets=tuple(Budget(name=str(i), limit=limit) for i, limit in enumerate(limits)))
    given = 0
    for wanted, refunds in asks:
        refund = min(refunds, given) * PRICE
        given -= refund // PRICE
        state, grant = grant_starts(state, Limits(), ask(wanted, refund=refund))
        given += len(grant.starts)
        assert all(given * PRICE <= budget.spent <= budget.limit or not given for budget in state.budgets)
        assert all(budget.spent >= 0 for budget in state.budgets)


def test_a_budget_holds_no_less_than_its_job_has_cost_and_lives_as_long() -> None:
    forgotten, richer = Budget(name="a", limit=9), Budget(name="b", limit=9, spent=7, needed_until=NOW + 5)
    known = [Budget(name="a", limit=9, spent=4, needed_until=NOW), Budget(name="b", limit=9, spent=4)]
    raised = with_known_spending(QuotaState(budgets=(forgotten, richer)), known)
    assert raised.budgets == (replace(forgotten, spent=4, needed_until=NOW), richer)


def test_a_run_without_money_gets_no_start_and_learns_why() -> None:
    _, [grant] = after(ask(3), state=QuotaState(budgets=(Budget(name="day", limit=PRICE - 1),)))
    assert (grant.starts, grant.broke) == ((), True)


@pytest.mark.parametrize("wrong", [{"per_minute": 0}, {"per_day": -1}])
def test_a_limit_below_one_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Limits(**wrong)


def test_a_large_quota_is_stored_in_few_numbers() -> None:
    state, now = QuotaState(), NOW
    for second in range(300):
        now = NOW + second * 1_000
        state, grant = grant_starts(state, Limits(per_minute=10_000), ask(150, now))
        assert len(grant.starts) == 150
    assert len(state.quota.starts) <= 62 + HORIZON_MS // 1_000
    assert isinstance(state.quota, Quota)
