"""Many workers that share one quota, in virtual time: no limit is exceeded and no worker starves."""

import asyncio
from dataclasses import dataclass, field

import pytest
from darkroom.domain.quota import LONGEST_PAUSE_MS, QUEUE_MS, Budget, Limits, Quota, Turn
from darkroom.domain.shot_errors import BudgetExhausted, QuotaExhausted, ShotError, StorageFailed
from darkroom.worker.quota_client import CONTENTION_ATTEMPTS, QuotaClient
from darkroom.worker.rate_limiter import Postponed, RateLimiter, RunSlots

from testing.builders import PRICE, an_image_model
from testing.fakes.images import ScriptedProvider
from testing.fakes.quota import MemoryQuota
from testing.fakes.time_and_ids import LoopClock
from testing.virtual_time import run

DAY = 86_400_000


@dataclass
class Fleet:
    """Workers that share a quota, and what became of their requests."""

    limits: Limits
    quota: MemoryQuota = field(default_factory=MemoryQuota)
    budgets: dict[str, int] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    ended: dict[str, float] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)

    def worker(
        self,
        concurrency: int = 14,
        deadline_s: float = 86_400,
        turn: Turn = Turn.NEW,
    ) -> RateLimiter:
        return RateLimiter(
            quota_client=QuotaClient(
                image_model=an_image_model(ScriptedProvider(), limits=self.limits),
                store=self.quota,
                clock=LoopClock(),
                jitter=lambda: 0.5,
                budgets=[Budget(name=name, limit=limit) for name, limit in self.budgets.items()],
                deadline_at=LoopClock().start + round(deadline_s * 1000),
                turn=turn,
                usable_s=lambda: 225.0,
            ),
            slots=RunSlots(free=asyncio.Semaphore(concurrency)),
        )

    async def request(self, limiter: RateLimiter, seconds: float = 1.0, billed: bool = True) -> None:
        try:
            await limiter.acquire()
        except (ShotError, Postponed) as error:
            self.errors.append(error)
            return
        self.starts.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)
        limiter.release(billed=billed)

    async def case(self, name: str, shots: int, seconds: float = 1.0) -> None:
        """Make all requests of a case. It starts another run whenever the quota sends one away."""
        left, turn, loop = shots, Turn.NEW, asyncio.get_running_loop()
        while left:
            before, limiter = len(self.errors), self.worker(turn=turn)
            await asyncio.gather(*(self.request(limiter, seconds) for _ in range(left)))
            away = [e for e in self.errors[before:] if isinstance(e, Postponed)]
            left, turn = len(away), Turn.RETURNING
            if away:
                del self.errors[before:]
                assert away[0].until is not None
                await asyncio.sleep(away[0].until / 1000 - LoopClock().start / 1000 - loop.time())
        self.ended[name] = loop.time()

    def most_in_a_minute(self) -> int:
        return max(sum(at <= other <= at + 60 for other in self.starts) for at in self.starts)


def test_a_run_requests_all_its_starts_in_one_write() -> None:
    fleet = Fleet(Limits(per_minute=100))
    run(fleet.case("one", 14))
    assert (fleet.quota.loads, fleet.quota.saves) == (1, 1)
    assert fleet.starts == [0.0] * 14


def test_without_a_limit_nothing_is_written() -> None:
    fleet = Fleet(Limits())
    run(fleet.case("one", 14))
    assert fleet.quota.saves == 0


def test_thirty_workers_at_once_never_exceed_the_quota_and_all_end() -> None:
    fleet = Fleet(Limits(per_minute=50))

    async def all_cases() -> None:
        await asyncio.gather(*(fleet.case(f"case-{n}", 14) for n in range(30)))

    run(all_cases())
    assert len(fleet.starts) == 30 * 14
    assert fleet.most_in_a_minute() <= 50
    assert max(fleet.ended.values()) < 1.3 * 60 * 30 * 14 / 50


def test_a_big_case_does_not_starve_a_small_one() -> None:
    fleet = Fleet(Limits(per_minute=10))

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fleet.case("big", 100))
            await asyncio.sleep(5)
            group.create_task(fleet.case("small", 4))

    run(both())
    assert fleet.ended["small"] < 200
    assert fleet.ended["big"] < 1.2 * 60 * 104 / 10


def test_a_worker_that_dies_does_not_make_the_others_exceed_the_limit() -> None:
    fleet = Fleet(Limits(per_minute=10))

    async def dies() -> None:
        doomed = asyncio.gather(*(fleet.request(fleet.worker(), seconds=99) for _ in range(4)))
        await asyncio.sleep(1)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        await fleet.case("next", 10)

    run(dies())
    assert fleet.most_in_a_minute() <= 10


def test_a_throttled_worker_makes_all_others_wait() -> None:
    fleet = Fleet(Limits())

    async def throttled() -> None:
        await fleet.worker().pause(30)
        await fleet.case("other", 3)

    run(throttled())
    assert fleet.starts == [30.0] * 3


@pytest.mark.parametrize("seconds", [2_592_000.0, 1e308, float("inf"), 10**400])
def test_a_delay_of_weeks_makes_the_others_wait_for_minutes(seconds: float) -> None:
    fleet = Fleet(Limits())

    async def throttled() -> None:
        await fleet.worker().pause(seconds)
        await fleet.case("other", 3)

    run(throttled())
    assert fleet.starts == [LONGEST_PAUSE_MS / 1000] * 3


@pytest.mark.parametrize("seconds", [0.0, -5.0, float("nan")])
def test_a_delay_that_is_not_positive_makes_nobody_wait(seconds: float) -> None:
    fleet = Fleet(Limits())

    async def throttled() -> None:
        await fleet.worker().pause(seconds)
        await fleet.case("other", 3)

    run(throttled())
    assert fleet.starts == [0.0] * 3


def test_a_stored_pause_of_weeks_is_ignored() -> None:
    far = Quota(paused_until=LoopClock.start + 30 * DAY, queue_until=LoopClock.start + 30 * DAY)
    fleet = Fleet(Limits(per_minute=10), quota=MemoryQuota(quotas={"fake/model": (1, far)}))
    run(fleet.case("one", 3))
    assert fleet.starts == [QUEUE_MS / 1000] * 3, "the queue ends when its longest is over"


def test_a_caller_who_cancels_and_retries_all_the_time_blocks_nobody_afterwards() -> None:
    """Each of the attacker's runs is sent away, and another one takes its place."""
    fleet = Fleet(Limits(per_minute=10))

    async def attacker() -> None:
        while asyncio.get_running_loop().time() < 300:
            with pytest.raises((TimeoutError, Postponed)):
                await asyncio.wait_for(asyncio.gather(*(fleet.worker().acquire() for _ in range(14))), 2)
            await asyncio.sleep(3)

    async def both() -> None:
        await asyncio.gather(*(attacker() for _ in range(5)))
        began, fleet.starts = asyncio.get_running_loop().time(), []
        await fleet.case("honest", 1)
        assert fleet.errors == []
        assert fleet.starts[0] - began < 150

    run(both())


def test_the_length_of_the_queue_alone_ends_no_job() -> None:
    fleet = Fleet(Limits(per_minute=10))
    queue = Quota(queue_until=LoopClock.start + QUEUE_MS)
    fleet.quota.quotas["fake/model"] = (1, queue)
    run(fleet.request(fleet.worker(deadline_s=60)))
    assert [type(e) for e in fleet.errors] == [Postponed]
    assert fleet.quota.quotas["fake/model"] == (1, queue), "a run that waits for others changes no quota"


def test_a_wait_beyond_the_deadline_fails_the_shot_and_changes_no_quota() -> None:
    fleet = Fleet(Limits(per_minute=1))

    async def two() -> None:
        await fleet.request(fleet.worker())
        version, _ = fleet.quota.quotas["fake/model"]
        fleet.quota.quotas["fake/model"] = (version, Quota(paused_until=LoopClock()() + 120_000))
        await fleet.request(fleet.worker(deadline_s=100))
        assert fleet.quota.quotas["fake/model"][0] == version

    run(two())
    assert [type(e) for e in fleet.errors] == [QuotaExhausted]


def test_a_worker_that_waits_for_its_start_obeys_a_pause_set_meanwhile() -> None:
    fleet = Fleet(Limits(per_minute=1))

    async def paused() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fleet.case("waiting", 2, seconds=3.0))
            await asyncio.sleep(30)
            await fleet.worker().pause(50)

    run(paused())
    assert fleet.starts[0] == 0
    assert fleet.starts[1] >= 80


def test_requests_that_are_throttled_together_write_one_pause() -> None:
    fleet = Fleet(Limits())

    async def throttled() -> None:
        limiter = fleet.worker()
        await asyncio.gather(*(limiter.pause(10 + n / 100) for n in range(14)))

    run(throttled())
    assert fleet.quota.saves == 1


def test_a_run_waits_for_the_next_start_only_while_its_requests_are_in_flight() -> None:
    fleet = Fleet(Limits(per_minute=2))
    ended_at: list[float] = []

    async def slow_then_wait() -> None:
        limiter = fleet.worker()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(fleet.request(limiter, seconds=0.5))
        ended_at.append(asyncio.get_running_loop().time())

    run(slow_then_wait())
    assert [type(e) for e in fleet.errors] == [Postponed]
    assert ended_at == [0.5], "the run ended when nothing was in flight any more"


def test_a_day_without_starts_until_the_deadline_fails_the_shot() -> None:
    fleet = Fleet(Limits(per_day=1))

    async def two() -> None:
        limiter = fleet.worker(deadline_s=60)
        await fleet.request(limiter)
        await fleet.request(limiter)

    run(two())
    assert [type(e) for e in fleet.errors] == [QuotaExhausted]


def test_a_request_without_money_waits_while_others_may_give_money_back() -> None:
    fleet = Fleet(Limits(), budgets={"job:1": 2 * PRICE})

    async def three() -> None:
        limiter = fleet.worker()
        await asyncio.gather(
            fleet.request(limiter, seconds=9.0),
            fleet.request(limiter, seconds=5.0, billed=False),
            fleet.request(limiter),
        )
        await fleet.request(limiter)

    run(three())
    assert fleet.starts == [0.0, 0.0, 5.0]
    assert [type(e) for e in fleet.errors] == [BudgetExhausted]
    assert fleet.quota.budgets["job:1"][1] == 2 * PRICE


def test_two_runs_never_exceed_their_common_budget() -> None:
    fleet = Fleet(Limits(), budgets={"day:1": 20 * PRICE})

    async def both() -> None:
        await asyncio.gather(*(fleet.case(f"case-{n}", 14) for n in range(2)))

    run(both())
    assert len(fleet.starts) == 20
    assert len(fleet.errors) == 8


def test_a_lost_write_of_the_quota_is_repeated() -> None:
    fleet = Fleet(Limits(per_minute=100), quota=MemoryQuota(lost_writes=5))
    run(fleet.case("one", 14))
    assert len(fleet.starts) == 14


@pytest.mark.parametrize(
    "quota", [MemoryQuota(lost_writes=CONTENTION_ATTEMPTS * 20), MemoryQuota(error=StorageFailed("no"))]
)
def test_no_request_starts_while_the_quota_cannot_be_written(quota: MemoryQuota) -> None:
    fleet = Fleet(Limits(per_minute=100), quota=quota)
    run(fleet.case("one", 2))
    assert fleet.starts == []
    assert {type(e) for e in fleet.errors} == {StorageFailed}


def test_money_given_back_counts_as_spent_when_the_write_fails() -> None:
    fleet = Fleet(Limits(), budgets={"job:1": 5 * PRICE})

    async def lost() -> None:
        limiter = fleet.worker()
        await fleet.request(limiter, billed=False)
        fleet.quota.error = StorageFailed("no")
        await limiter.close()
        fleet.quota.error = None
        await limiter.close()

    run(lost())
    assert fleet.quota.budgets["job:1"][1] == PRICE


def test_cancelled_waits_hold_no_slot_and_no_money() -> None:
    fleet = Fleet(Limits(per_minute=1), budgets={"job:1": 5 * PRICE})

    async def cancelled() -> int:
        limiter = fleet.worker()
        tasks = [asyncio.create_task(fleet.request(limiter, seconds=300)) for _ in range(5)]
        await asyncio.sleep(10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        limiter.release(billed=True)  # of the one that had started
        await limiter.close()
        return limiter.slots.in_flight

    assert run(cancelled()) == 0
    assert fleet.quota.budgets["job:1"][1] == PRICE


def test_starts_that_the_run_holds_are_not_requested_again() -> None:
    fleet = Fleet(Limits(per_minute=3))

    async def one_more() -> int:
        limiter = fleet.worker()
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(fleet.request(limiter, seconds=30.0))
            await asyncio.sleep(10)  # one of them holds the start a minute ahead
            group.create_task(fleet.request(limiter, seconds=30.0))
        return sum(count for _, count in fleet.quota.quotas["fake/model"][1].starts)

    assert run(one_more()) == 3, "of five starts the last three are remembered"
    assert len(fleet.starts) == 5


def test_an_extra_request_starts_only_when_nobody_else_wants_its_slot() -> None:
    async def full() -> bool:
        limiter = Fleet(Limits()).worker(concurrency=1)
        await limiter.acquire()
        return await limiter.try_acquire()

    async def others_wait() -> bool:
        limiter = Fleet(Limits()).worker()
        await limiter.pause(20)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(1)
        started = await limiter.try_acquire()
        waiting.cancel()
        return started

    async def had_to_wait() -> bool:
        limiter = Fleet(Limits(per_minute=1)).worker()
        requests = [asyncio.create_task(limiter.acquire()) for _ in range(2)]
        await asyncio.sleep(300)
        for request in requests:
            request.cancel()
        return await limiter.try_acquire()

    async def free() -> bool:
        return await Fleet(Limits(per_minute=9)).worker().try_acquire()

    assert [run(case()) for case in (full, others_wait, had_to_wait, free)] == [False, False, False, True]


def test_a_start_that_is_not_used_costs_nothing() -> None:
    fleet = Fleet(Limits(), budgets={"job:1": 5 * PRICE})

    async def paused_again() -> int:
        limiter = fleet.worker()
        await limiter.pause(20)
        request = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(10)
        await limiter.pause(30)
        assert await request == 40_000
        limiter.release(billed=True)
        await limiter.close()
        return limiter.slots.in_flight

    assert run(paused_again()) == 0
    assert fleet.quota.budgets["job:1"][1] == PRICE
