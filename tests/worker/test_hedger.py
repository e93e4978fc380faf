"""One picture: the second request when the first is late, and what becomes of both."""

import asyncio
from contextlib import suppress

import pytest
from darkroom.domain.quota import Limits
from darkroom.domain.shot_errors import (
    AccountUnusable,
    BadImage,
    BudgetExhausted,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    Unauthorized,
)
from darkroom.ports import RawImage

from testing.attempt import SHOT, Attempt, after
from testing.builders import PRICE


def test_a_late_request_gets_a_second_one_and_the_first_picture_wins() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7)
    assert attempt.error is None
    assert attempt.seconds == pytest.approx(23.0)  # the expected p95, then the second request's 3 s
    assert attempt.provider.cancelled == [SHOT.prompt]
    assert sorted(attempt.billed) == [False, True]


def test_the_last_shot_of_a_case_is_late_sooner() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7, others=0)
    assert 15 < attempt.seconds < 17


def test_the_first_request_may_still_win() -> None:
    attempt = Attempt([22.0, 9999.0], hedges=7)
    assert (attempt.seconds, attempt.billed) == (22.0, [True, False])


def test_second_requests_are_capped() -> None:
    attempt = Attempt([9999.0], hedges=2)
    assert len(attempt.provider.prompts) == 2 + 2, "two extra requests, and a new attempt after the time-out"


def test_a_second_request_that_fails_leaves_the_first_alone() -> None:
    attempt = Attempt([40.0, Overloaded("busy"), 9999.0], hedges=2)
    assert (attempt.error, attempt.seconds) == (None, 40.0)


def test_a_refusal_of_the_second_request_ends_the_first() -> None:
    error = Refused("SAFETY")
    attempt = Attempt([9999.0, error], hedges=2)
    assert attempt.error is error
    assert attempt.seconds == pytest.approx(20.0)
    assert attempt.in_flight == 0


@pytest.mark.parametrize("error", [QuotaExhausted("the day"), Unauthorized("revoked"), AccountUnusable("x")])
def test_a_fault_of_the_account_does_not_end_a_request_sent_before(error: ShotError) -> None:
    attempt = Attempt([40.0, error, 3.0], hedges=7)
    assert (attempt.error, attempt.seconds, attempt.billed) == (None, 40.0, [True])
    assert len(attempt.provider.prompts) == 2, "no third request while the account has a fault"


def test_no_request_is_sent_after_a_fault_of_the_account_whatever_else_fails() -> None:
    attempt = Attempt([50.0, after(10.0, Overloaded("busy")), QuotaExhausted("the day"), 3.0], hedges=7)
    assert (attempt.error, attempt.seconds) == (None, 50.0)
    assert len(attempt.provider.prompts) == 3


def test_a_fault_of_the_account_is_final_once_the_request_before_it_has_failed() -> None:
    error = QuotaExhausted("the day")
    attempt = Attempt([40.0, error, error], hedges=7, bad=BadImage("torn"))
    assert attempt.error is error
    assert attempt.in_flight == 0


def test_a_second_request_needs_a_start_from_the_quota() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7, limits=Limits(per_minute=1))
    assert attempt.seconds > 60
    assert len(attempt.provider.prompts) == 2


def test_a_second_request_needs_money() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7, budgets={"job:1": PRICE})
    assert len(attempt.provider.prompts) == 1
    assert isinstance(attempt.error, BudgetExhausted)


async def coming_too_late() -> RawImage:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(9999)
    return RawImage(data=b"picture", model="fake-model")


def test_a_picture_that_comes_in_the_moment_the_attempts_end_is_billed_as_waste() -> None:
    attempt = Attempt([coming_too_late, Refused("SAFETY")], hedges=1, budgets={"job:1": 9 * PRICE})
    assert isinstance(attempt.error, Refused)
    assert attempt.billed == [False]
    assert attempt.quota.budgets["job:1"][1] == PRICE


def test_of_two_pictures_in_one_moment_one_is_waste() -> None:
    attempt = Attempt([23.0, 3.0], hedges=1, budgets={"job:1": 9 * PRICE})
    assert sorted(attempt.billed) == [False, True]
    assert sum(event.cost_micro_usd for event in attempt.events) == 2 * PRICE
    assert attempt.quota.budgets["job:1"][1] == 2 * PRICE


def test_a_second_request_that_starts_as_the_first_ends_releases_its_slot() -> None:
    for seconds in (20.0, 20.000001, 20.001):
        attempt = Attempt([seconds, 9999.0], hedges=2)
        assert (attempt.error, attempt.in_flight) == (None, 0)


def test_the_losing_request_is_recorded_as_cancelled_and_billed() -> None:
    attempt = Attempt([100.0, 2.0], hedges=1)
    first, second = sorted(attempt.events, key=lambda event: event.number or 0)
    assert (second.outcome, second.hedge, first.outcome, first.hedge) == ("made", True, "cancelled", False)
    assert (first.cost_micro_usd, second.cost_micro_usd) == (PRICE, PRICE)
