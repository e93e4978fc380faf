"""One picture: its deadline, its retries, its fallback providers and its cost."""

from typing import Any

import pytest
from darkroom.domain.run import EventKind
from darkroom.domain.shot_errors import (
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
from darkroom.worker.rate_limiter import Postponed

from testing.attempt import SHOT, Attempt, after
from testing.builders import PRICE
from testing.fakes.time_and_ids import LoopClock


def test_a_picture_is_generated_processed_and_stored_with_its_facts() -> None:
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
def test_a_temporary_error_is_retried_and_is_waste_if_it_is_billed(error: ShotError) -> None:
    attempt = Attempt([error, 1.0], budgets={"job:1": 9 * PRICE})
    assert attempt.error is None
    assert len(attempt.provider.prompts) == 2
    assert attempt.billed == [False, True][not error.billed :]
    costs = [event.cost_micro_usd for event in attempt.events if event.kind is EventKind.ATTEMPT]
    assert sum(costs) == len(attempt.billed) * PRICE == attempt.quota.budgets["job:1"][1]


@pytest.mark.parametrize(
    "error", [Refused("SAFETY"), QuotaExhausted("per day"), ModelRetired("404"), BudgetExhausted("no")]
)
def test_a_permanent_error_is_not_retried(error: ShotError) -> None:
    attempt = Attempt([error, 1.0])
    assert attempt.error is error
    assert len(attempt.provider.prompts) == 1


def test_waits_double_with_jitter_until_the_attempts_are_used_up() -> None:
    attempt = Attempt([Overloaded("busy")])
    assert len(attempt.provider.prompts) == Overloaded.max_tries == 6
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
def test_an_absurd_delay_of_a_busy_server_is_ignored(delay: float) -> None:
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
    _, quota = attempt.quota.quotas["fake/model"]
    assert quota.paused_until == LoopClock().start + 48_000


def test_a_rate_limit_that_lasts_too_long_leaves_the_shot_to_another_run() -> None:
    attempt = Attempt([Throttled("slow down", retry_after=90.0), 1.0])
    assert isinstance(attempt.error, Postponed)
    assert attempt.error.until == LoopClock().start + 90_000
    assert attempt.seconds == 0.0


def test_a_request_that_the_run_has_no_time_for_is_not_started() -> None:
    attempt = Attempt([1.0], run_s=59)
    assert isinstance(attempt.error, Postponed)
    assert (attempt.error.until, attempt.provider.prompts) == (None, [])


def test_a_shot_that_the_end_of_the_run_cuts_short_is_left_to_another_run() -> None:
    attempt = Attempt([9999.0], run_s=70, hedges=1)
    assert isinstance(attempt.error, Postponed)
    assert attempt.seconds == 70
    assert attempt.in_flight == 0


def test_money_reserved_for_requests_that_are_not_billed_is_given_back() -> None:
    attempt = Attempt([Overloaded("busy"), Overloaded("busy"), 1.0], budgets={"job:1": PRICE})
    assert attempt.error is None
    assert attempt.quota.budgets["job:1"][1] == PRICE


def test_a_refused_picture_costs_nothing() -> None:
    attempt = Attempt([Refused("SAFETY")], budgets={"job:1": PRICE})
    assert (attempt.billed, attempt.quota.budgets["job:1"][1]) == ([], 0)


def test_a_picture_that_cannot_be_decoded_is_billed_as_waste_and_requested_once_more() -> None:
    attempt = Attempt([1.0], bad=BadImage("no picture"))
    assert isinstance(attempt.error, BadImage)
    assert attempt.billed == [False, False]


def test_a_failure_after_the_providers_response_is_billed() -> None:
    attempt = Attempt([1.0], bad=Refused("of the processor's own"), budgets={"job:1": 9 * PRICE})
    assert attempt.billed == [False]
    assert attempt.quota.budgets["job:1"][1] == attempt.events[0].cost_micro_usd == PRICE


def test_every_failure_is_recorded_in_words_with_the_name_of_its_provider() -> None:
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
    assert len(attempt.provider.prompts) == 1
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
def test_the_fallback_provider_is_called_after_an_error_where_it_can_help(error: ShotError) -> None:
    attempt = Attempt([error], fallback=[2.0])
    assert attempt.error is None
    assert len(attempt.provider.prompts) == error.max_tries
    assert attempt.fallback.prompts == [SHOT.prompt]
    assert set(attempt.quota.quotas) <= {"fake/model", "other/model"}


@pytest.mark.parametrize("error", [Refused("SAFETY"), InvalidPrompt("400")])
def test_no_fallback_is_called_for_a_prompt_that_was_refused(error: ShotError) -> None:
    attempt = Attempt([error], fallback=[2.0])
    assert attempt.error is error
    assert attempt.fallback.prompts == []


def test_the_error_of_the_fallback_counts_when_both_providers_fail() -> None:
    attempt = Attempt([ModelRetired("404")], fallback=[Refused("SAFETY")])
    assert isinstance(attempt.error, Refused)


def test_a_defect_is_raised_unchanged_and_leaves_no_request_running() -> None:
    async def broken() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Attempt([broken])


def recorded(attempt: Attempt) -> list[tuple[str, str, float, int | None, bool]]:
    return [(e.kind, e.outcome, e.milliseconds / 1000, e.number, e.hedge) for e in attempt.events]


def test_every_attempt_and_every_wait_is_recorded_with_its_duration() -> None:
    attempt = Attempt([after(3.0, Overloaded("busy")), after(5.0, Refused("no"))])
    assert recorded(attempt) == [
        ("attempt", "overloaded", 3.0, 1, False),
        ("wait", "backoff", 0.5, None, False),
        ("attempt", "refused", 5.0, 2, False),
    ]
    assert {event.shot_id for event in attempt.events} == {SHOT.id}


def test_a_wait_for_the_quota_is_recorded() -> None:
    throttled = Attempt([after(1.0, Throttled("slow down", retry_after=7.0)), 1.0])
    assert [(e.kind, e.outcome) for e in throttled.events] == [
        ("attempt", "throttled"),
        ("wait", "quota"),
        ("attempt", "made"),
    ]
    assert throttled.events[1].milliseconds == pytest.approx(7000, abs=100)
