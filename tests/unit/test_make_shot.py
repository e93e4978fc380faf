"""One picture: its deadline, its retries, its second requests, its other providers, what is billed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
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
from darkroom.domain.history import Event, EventKind
from darkroom.domain.quota import Limits, Purse, Turn
from darkroom.ports import RawImage
from darkroom.settings import WorkerSettings
from darkroom.usecases.admit import Admission, Postponed, Requests
from darkroom.usecases.hedge import Hedger
from darkroom.usecases.make_shot import MakeShot
from darkroom.usecases.race import RacePolicy

from tests.builders import PRICE, a_case, a_source
from tests.fakes import InstantDeveloper, LoopClock, MemoryImages, MemoryQuota, Reply, ScriptedProvider
from tests.virtual_time import run

SHOT = a_case().shots[0]
SETTINGS = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s")
POLICY = RacePolicy(request_timeout=60, shot_timeout=120, base=1, cap=20)


class Attempt:
    """One shot made in virtual time, and all that can be seen of it."""

    def __init__(
        self,
        replies: Sequence[Reply],
        *,
        run_s: float = 300,
        hedges: int = 0,
        others: int = 9,
        bad: ShotError | None = None,
        unstored: ShotError | None = None,
        fallback: Sequence[Reply] | None = None,
        limits: Limits | None = None,
        quota: MemoryQuota | None = None,
        purses: dict[str, int] | None = None,
    ) -> None:
        self.provider = ScriptedProvider(replies={"": list(replies)})
        self.fallback = ScriptedProvider(replies={"": list(fallback or [])})
        self.images = MemoryImages(error=unstored)
        self.developer = InstantDeveloper(bad)
        self.quota = quota or MemoryQuota()
        self.billed: list[bool] = []
        self.events: list[Event] = []
        self.error: ShotError | Postponed | None = None
        self.model = ""
        sources = [a_source(self.provider, limits=limits)]
        if fallback is not None:
            sources.append(a_source(self.fallback, "other/model"))
        make = MakeShot(
            developer=self.developer,
            images=self.images,
            jitter=lambda: 0.5,
            policy=POLICY,
            fallback_on=SETTINGS.fallback_codes,
        )

        async def timed() -> float:
            loop = asyncio.get_running_loop()
            requests = Requests(slots=asyncio.Semaphore(4))
            admissions = [
                Admission(
                    source=source,
                    store=self.quota,
                    clock=LoopClock(),
                    jitter=lambda: 0.5,
                    purses=[Purse(name=name, limit=limit) for name, limit in (purses or {}).items()],
                    requests=requests,
                    deadline_at=LoopClock().start + 86_400_000,
                    turn=Turn.NEW,
                )
                for source in sources
            ]
            hedger = Hedger(1.0, hedges)
            hedger.unfinished = 1 + others
            try:
                self.model = await make(
                    SHOT,
                    case_id="case-1",
                    key="the-key",
                    admissions=admissions,
                    hedger=hedger,
                    left_s=lambda: run_s - loop.time(),
                    billed=lambda price, useful: self.billed.append(useful),
                    note=self.events.append,
                )
            except (ShotError, Postponed) as error:
                self.error = error
            self.in_flight = requests.now
            ended = loop.time()
            for admission in admissions:
                await admission.close()
            return ended

        self.seconds = run(timed())


def test_a_picture_is_made_developed_and_stored_with_its_facts() -> None:
    attempt = Attempt([2.0])
    assert attempt.images.stored_pictures == {"the-key": b"jpeg of " + SHOT.prompt.encode()}
    assert attempt.images.facts["the-key"] == {
        "shot": "evidence-1",
        "model": "fake-model",
    }
    assert attempt.developer.facts == [{"case": "case-1", "shot": "evidence-1", "model": "fake-model"}]
    assert (attempt.billed, attempt.seconds, attempt.model) == ([True], 2.0, "fake-model")


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
    attempt = Attempt([error, 1.0], purses={"job:1": 9 * PRICE})
    assert attempt.error is None
    assert len(attempt.provider.asked) == 2
    assert attempt.billed == [False, True][not error.billed :]
    told = [event.cost_micro_usd for event in attempt.events if event.kind is EventKind.TRY]
    assert sum(told) == len(attempt.billed) * PRICE == attempt.quota.purses["job:1"][1]


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
    assert len(attempt.provider.asked) == 2 + 2, "two extra requests, and a new try after the time-out"


def test_a_second_request_that_fails_leaves_the_first_alone() -> None:
    attempt = Attempt([40.0, Overloaded("busy"), 9999.0], hedges=2)
    assert (attempt.error, attempt.seconds) == (None, 40.0)


def test_a_refusal_of_the_second_request_ends_the_first() -> None:
    error = Refused("SAFETY")
    attempt = Attempt([9999.0, error], hedges=2)
    assert attempt.error is error
    assert attempt.seconds == pytest.approx(20.0)
    assert attempt.in_flight == 0


def test_a_second_request_needs_a_start_from_the_quota() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7, limits=Limits(per_minute=1))
    assert attempt.seconds > 60
    assert len(attempt.provider.asked) == 2


def test_a_second_request_needs_money() -> None:
    attempt = Attempt([9999.0, 3.0], hedges=7, purses={"job:1": PRICE})
    assert len(attempt.provider.asked) == 1
    assert isinstance(attempt.error, BudgetExhausted)


def test_what_was_not_billed_is_given_back() -> None:
    attempt = Attempt([Overloaded("busy"), Overloaded("busy"), 1.0], purses={"job:1": PRICE})
    assert attempt.error is None
    assert attempt.quota.purses["job:1"][1] == PRICE


def test_a_refused_picture_costs_nothing() -> None:
    attempt = Attempt([Refused("SAFETY")], purses={"job:1": PRICE})
    assert (attempt.billed, attempt.quota.purses["job:1"][1]) == ([], 0)


def test_a_picture_that_cannot_be_decoded_is_billed_as_waste_and_asked_for_once_more() -> None:
    attempt = Attempt([1.0], bad=BadImage("no picture"))
    assert isinstance(attempt.error, BadImage)
    assert attempt.billed == [False, False]


def test_whatever_fails_after_the_provider_has_answered_is_billed() -> None:
    attempt = Attempt([1.0], bad=Refused("of the developer's own"), purses={"job:1": 9 * PRICE})
    assert attempt.billed == [False]
    assert attempt.quota.purses["job:1"][1] == attempt.events[0].cost_micro_usd == PRICE


async def coming_too_late() -> RawImage:
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(9999)
    return RawImage(data=b"picture", mime="image/png", model="fake-model")


def test_a_picture_that_comes_in_the_moment_the_race_ends_is_billed_as_waste() -> None:
    attempt = Attempt([coming_too_late, Refused("SAFETY")], hedges=1, purses={"job:1": 9 * PRICE})
    assert isinstance(attempt.error, Refused)
    assert attempt.billed == [False]
    assert attempt.quota.purses["job:1"][1] == PRICE


def test_two_pictures_in_one_moment_are_one_of_use_and_one_of_none() -> None:
    attempt = Attempt([23.0, 3.0], hedges=1, purses={"job:1": 9 * PRICE})
    assert sorted(attempt.billed) == [False, True]
    assert sum(event.cost_micro_usd for event in attempt.events) == 2 * PRICE
    assert attempt.quota.purses["job:1"][1] == 2 * PRICE


def test_every_failure_is_told_in_words_with_the_provider_it_is_of() -> None:
    attempt = Attempt([AccountUnusable("billing is not active")], fallback=[Overloaded("busy"), 1.0])
    assert attempt.error is None
    assert [e.reason for e in attempt.events if e.kind is EventKind.TRY] == [
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


def test_a_second_request_that_starts_as_the_first_ends_gives_back_its_place() -> None:
    for seconds in (20.0, 20.000001, 20.001):
        attempt = Attempt([seconds, 9999.0], hedges=2)
        assert (attempt.error, attempt.in_flight) == (None, 0)


def after(seconds: float, error: ShotError) -> Reply:
    async def reply() -> RawImage:
        await asyncio.sleep(seconds)
        raise error

    return reply


def told(attempt: Attempt) -> list[tuple[str, str, float, int | None, bool]]:
    return [(e.kind, e.outcome, e.milliseconds / 1000, e.number, e.hedge) for e in attempt.events]


def test_every_try_and_every_wait_is_told_with_its_duration_and_price() -> None:
    attempt = Attempt([after(3.0, Overloaded("busy")), after(5.0, Refused("no"))])
    assert told(attempt) == [
        ("try", "overloaded", 3.0, 1, False),
        ("wait", "backoff", 0.5, None, False),
        ("try", "refused", 5.0, 2, False),
    ]
    assert {event.shot_id for event in attempt.events} == {SHOT.id}


def test_a_second_request_that_loses_is_told_as_cancelled_and_paid() -> None:
    attempt = Attempt([100.0, 2.0], hedges=1)
    first, second = sorted(attempt.events, key=lambda event: event.number or 0)
    assert (second.outcome, second.hedge, first.outcome, first.hedge) == ("made", True, "cancelled", False)
    assert (first.cost_micro_usd, second.cost_micro_usd) == (PRICE, PRICE)


def test_a_wait_for_the_quota_is_told() -> None:
    throttled = Attempt([after(1.0, Throttled("slow down", retry_after=7.0)), 1.0])
    assert [(e.kind, e.outcome) for e in throttled.events] == [
        ("try", "throttled"),
        ("wait", "quota"),
        ("try", "made"),
    ]
    assert throttled.events[1].milliseconds == pytest.approx(7000, abs=100)
