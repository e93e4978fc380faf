"""One picture: its deadline, its retries, its other providers, what is billed."""

from typing import Any

import pytest
from darkroom.domain.errors import (
    AccountUnusable,
    BadImage,
    BudgetExhausted,
    InvalidPrompt,
    Misconfigured,
    ModelRetired,
    NoImage,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    StorageFailed,
    Throttled,
    TimedOut,
    Unauthorized,
)
from darkroom.domain.run import EventKind
from darkroom.worker.rate_limiter import Postponed

from testing.attempt import SHOT, Attempt, after
from testing.builders import PRICE
from testing.fakes import LoopClock


def test_a_picture_is_made_developed_and_stored_with_its_facts() -> None:
    attempt = Attempt([2.0])
    assert list(attempt.images.stored_pictures.values()) == [b"jpeg of " + SHOT.prompt.encode()]
    assert list(attempt.images.facts.values()) == [{"shot": "evidence-1", "model": "fake-model"}]
    assert attempt.processor.facts == [{"case": "case-1", "shot": "evidence-1", "model": "fake-model"}]
    assert (attempt.billed, attempt.seconds, attempt.state.models) == ([True], 2.0, {"fake-model": 1})


def test_a_picture_that_never_comes_ends_at_the_deadline_and_its_requests_are_cancelled() -> None:
    attempt = Attempt([9999.0])
    assert isinstance(attempt.error, TimedOut)
    assert attempt.seconds == 120
    assert attempt.provider.cancelled == [SHOT.prompt] * 2
    assert attempt.images.stored_pictures == {}
    assert attempt.billed == [False, False], "what timed out may have been billed"
    assert attempt.in_flight == 0


@pytest.mark.parametrize(
    "error",
    [
        Overloaded("busy"),
        Overloaded("broke off", billed=True),
        Throttled("slow down"),
        NoImage("STOP"),
        NoImage("not charged", billed=False),
    ],
)
def test_what_may_pass_is_tried_again_and_is_waste_if_it_is_billed(error: ShotError) -> None:
    attempt = Attempt([error, 1.0], budgets={"job:1": 9 * PRICE})
    assert attempt.error is None
    assert len(attempt.provider.asked) == 2
    assert attempt.billed == [False, True][not error.billed :]
    told = [event.cost_micro_usd for event in attempt.events if event.kind is EventKind.ATTEMPT]
    assert sum(told) == len(attempt.billed) * PRICE == attempt.quota.budgets["job:1"][1]


@pytest.mark.parametrize(
    "error", [Refused("SAFETY"), QuotaExhausted("per day"), ModelRetired("404"), BudgetExhausted("no")]
)
def test_what_will_not_pass_is_asked_once(error: ShotError) -> None:
    attempt = Attempt([error, 1.0])
    assert attempt.error is error
    assert len(attempt.provider.asked) == 1


def test_waits_double_with_jitter_until_the_tries_are_used_up() -> None:
    attempt = Attempt([Overloaded("busy")])
    assert len(attempt.provider.asked) == Overloaded.max_tries == 6
    assert attempt.seconds == 0.5 + 1.0 + 2.0 + 4.0 + 8.0


def test_the_servers_own_delay_is_honoured() -> None:
    attempt = Attempt([Overloaded("busy", retry_after=17.0), 1.0])
    assert attempt.error is None
    assert attempt.seconds == 18.0


def test_a_delay_that_does_not_fit_the_deadline_is_not_waited_for() -> None:
    error = Overloaded("busy", retry_after=115.0)
    attempt = Attempt([error, 1.0])
    assert (attempt.error, attempt.seconds) == (error, 0.0)


@pytest.mark.parametrize("delay", [600.1, 2_592_000.0, 1e308, float("inf"), 10**400])
def test_a_delay_that_no_busy_server_means_is_none(delay: float) -> None:
    attempt = Attempt([Overloaded("busy", retry_after=delay), 1.0])
    assert (attempt.error, attempt.seconds) == (None, 1.5)


@pytest.mark.parametrize("delay", [2_592_000.0, 1e308, 10**400])
def test_a_rate_limit_of_weeks_leaves_the_shot_to_a_run_in_ten_minutes(delay: float) -> None:
    attempt = Attempt([Throttled("slow down", retry_after=delay), 1.0])
    assert isinstance(attempt.error, Postponed)
    assert attempt.error.until == LoopClock().start + 600_000


def test_a_rate_limit_pauses_everybody_and_the_wait_does_not_count() -> None:
    attempt = Attempt([Throttled("slow down", retry_after=48.0), 100.0, 50.0])
    assert attempt.error is None
    assert attempt.seconds == 48 + 60 + 0.5 * 2 + 50
    _, quota = attempt.quota.accounts["fake/model"]
    assert quota.paused_until == LoopClock().start + 48_000


def test_a_rate_limit_that_lasts_too_long_leaves_the_shot_to_another_run() -> None:
    attempt = Attempt([Throttled("slow down", retry_after=90.0), 1.0])
    assert isinstance(attempt.error, Postponed)
    assert attempt.error.until == LoopClock().start + 90_000
    assert attempt.seconds == 0.0


def test_a_request_that_the_run_has_no_time_for_is_not_started() -> None:
    attempt = Attempt([1.0], run_s=59)
    assert isinstance(attempt.error, Postponed)
    assert (attempt.error.until, attempt.provider.asked) == (None, [])


def test_a_shot_that_the_end_of_the_run_cuts_short_is_left_to_another() -> None:
    attempt = Attempt([9999.0], run_s=70, hedges=1)
    assert isinstance(attempt.error, Postponed)
    assert attempt.seconds == 70
    assert attempt.in_flight == 0


def test_what_was_not_billed_is_given_back() -> None:
    attempt = Attempt([Overloaded("busy"), Overloaded("busy"), 1.0], budgets={"job:1": PRICE})
    assert attempt.error is None
    assert attempt.quota.budgets["job:1"][1] == PRICE


def test_a_refused_picture_costs_nothing() -> None:
    attempt = Attempt([Refused("SAFETY")], budgets={"job:1": PRICE})
    assert (attempt.billed, attempt.quota.budgets["job:1"][1]) == ([], 0)


def test_a_picture_that_cannot_be_decoded_is_billed_as_waste_and_asked_for_once_more() -> None:
    attempt = Attempt([1.0], bad=BadImage("no picture"))
    assert isinstance(attempt.error, BadImage)
    assert attempt.billed == [False, False]


def test_whatever_fails_after_the_provider_has_answered_is_billed() -> None:
    attempt = Attempt([1.0], bad=Refused("of the processor's own"), budgets={"job:1": 9 * PRICE})
    assert attempt.billed == [False]
    assert attempt.quota.budgets["job:1"][1] == attempt.events[0].cost_micro_usd == PRICE


def test_every_failure_is_told_in_words_with_the_provider_it_is_of() -> None:
    attempt = Attempt([AccountUnusable("billing is not active")], fallback=[Overloaded("busy"), 1.0])
    assert attempt.error is None
    assert [e.reason for e in attempt.events if e.kind is EventKind.ATTEMPT] == [
        "fake/model: billing is not active",
        "other/model: busy",
        "",
    ]


def test_a_picture_that_cannot_be_stored_is_not_made_again() -> None:
    attempt = Attempt([1.0], unstored=StorageFailed("no"))
    assert isinstance(attempt.error, StorageFailed)
    assert len(attempt.provider.asked) == 1
    assert attempt.billed == [True]


@pytest.mark.parametrize(
    "error",
    [
        ModelRetired("404"),
        QuotaExhausted("per day"),
        Overloaded("busy"),
        Unauthorized("the key is leaked"),
        AccountUnusable("billing is not active"),
        Misconfigured("the thinking level"),
        NoImage("STOP"),
        BadImage("no JSON"),
    ],
)
def test_another_provider_is_asked_where_it_can_help(error: ShotError) -> None:
    attempt = Attempt([error], fallback=[2.0])
    assert attempt.error is None
    assert len(attempt.provider.asked) == error.max_tries
    assert attempt.fallback.asked == [SHOT.prompt]
    assert set(attempt.quota.accounts) <= {"fake/model", "other/model"}


@pytest.mark.parametrize("error", [Refused("SAFETY"), InvalidPrompt("400")])
def test_what_one_provider_refuses_no_other_is_asked_for(error: ShotError) -> None:
    attempt = Attempt([error], fallback=[2.0])
    assert attempt.error is error
    assert attempt.fallback.asked == []


def test_when_the_other_provider_fails_too_its_reason_counts() -> None:
    attempt = Attempt([ModelRetired("404")], fallback=[Refused("SAFETY")])
    assert isinstance(attempt.error, Refused)


def test_a_defect_is_raised_as_what_it_is_and_leaves_nothing_running() -> None:
    async def broken() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Attempt([broken])


def told(attempt: Attempt) -> list[tuple[str, str, float, int | None, bool]]:
    return [(e.kind, e.outcome, e.milliseconds / 1000, e.number, e.hedge) for e in attempt.events]


def test_every_try_and_every_wait_is_told_with_its_duration_and_price() -> None:
    attempt = Attempt([after(3.0, Overloaded("busy")), after(5.0, Refused("no"))])
    assert told(attempt) == [
        ("attempt", "overloaded", 3.0, 1, False),
        ("wait", "backoff", 0.5, None, False),
        ("attempt", "refused", 5.0, 2, False),
    ]
    assert {event.shot_id for event in attempt.events} == {SHOT.id}


def test_a_wait_for_the_quota_is_told() -> None:
    throttled = Attempt([after(1.0, Throttled("slow down", retry_after=7.0)), 1.0])
    assert [(e.kind, e.outcome) for e in throttled.events] == [
        ("attempt", "throttled"),
        ("wait", "quota"),
        ("attempt", "made"),
    ]
    assert throttled.events[1].milliseconds == pytest.approx(7000, abs=100)
