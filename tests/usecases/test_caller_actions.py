"""Cancelling and retrying a job."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from darkroom.domain.access import Access, Scope
from darkroom.domain.caller_actions import GUEST_RETRIES
from darkroom.domain.case import image_run
from darkroom.domain.errors import (
    DailyLimitReached,
    Forbidden,
    InvalidInput,
    JobNotFound,
    JobOpen,
    NothingToRetry,
    StaleVersion,
    StillStopping,
)
from darkroom.domain.job import REVISION_SPARE, Failure, Job, Status
from darkroom.usecases.cancel_job import CancelJob
from darkroom.usecases.retry_job import RetryJob
from darkroom.usecases.start_worker import StartWorker

from testing.builders import NOW, TIMING, a_case, a_job, keys_of
from testing.fakes.jobs import MemoryDailyLimit, MemoryJobs, RecordedWorkers
from testing.fakes.time_and_ids import ManualClock

CASE = a_case(evidence=3, locations=0)
REFUSED = Failure(code="refused", message="no", retryable=False)
URL = "https://api.example/hook"
DESK = Access(caller="desk", scopes=frozenset({Scope.SUBMIT}))
GUEST = Access(caller="share-link", scopes=frozenset({Scope.READ, Scope.RETRY}), case_id="case-1")


class World:
    """The initiator with one job."""

    def __init__(self, **state: object) -> None:
        self.jobs = MemoryJobs()
        self.workers = RecordedWorkers()
        self.daily_limit = MemoryDailyLimit(limit=1_000)
        self.clock = ManualClock(NOW)
        self.jobs.create(replace(a_job(CASE), **state), CASE)  # type: ignore[arg-type]

    @property
    def job(self) -> Job:
        return self.jobs.get("case-1")

    def cancel(self) -> Job:
        return CancelJob(jobs=self.jobs, clock=self.clock)("case-1", by="desk")

    def retry(
        self,
        descriptions: Mapping[str, str] | None = None,
        seen: Collection[str] | None = None,
        max_cost: int | None = None,
        by: Access = DESK,
    ) -> Job:
        start = StartWorker(jobs=self.jobs, workers=self.workers)
        use_case = RetryJob(
            jobs=self.jobs, daily_limit=self.daily_limit, start=start, clock=self.clock, timing=TIMING
        )
        return use_case(
            "case-1",
            descriptions or {},
            by=by,
            webhook_url=URL,
            seen=seen,
            max_cost_micro_usd=max_cost,
        )

    def counted(self, caller: str) -> int:
        """Return the number of cases that count for a caller."""
        return sum(count for (name, _), count in self.daily_limit.taken.items() if name == caller)


def a_world_with_a_partial_job() -> World:
    """Return an world in whose job two of three shots are done.

    The third was refused, after all retries and near the deadline.
    """
    return World(
        status=Status.PARTIAL,
        run=4,
        images=keys_of(CASE, "evidence-1", "evidence-2"),
        failures={"evidence-3": REFUSED},
        retry_count=3,
        lost_runs=3,
        due_at=None,
        completed_at=NOW,
        deadline_at=NOW + 1,
    )


def test_a_cancelled_job_without_a_worker_is_never_due_again() -> None:
    world = World(status=Status.PENDING, images={"evidence-1": "key"})
    job = world.cancel()
    assert (job.status, job.completed_at, job.due_at) == (Status.CANCELLED, NOW, None)
    assert job.images == {"evidence-1": "key"}
    assert world.job == job


def test_a_cancelled_job_with_a_worker_is_due_when_the_lease_ends() -> None:
    world = World(
        status=Status.GENERATING, claim="claim-1", lease_until=NOW + 99, images={"evidence-1": "key"}
    )
    job = world.cancel()
    assert (job.status, job.completed_at, job.due_at) == (Status.CANCELLED, NOW, NOW + 99)
    assert job.images == {"evidence-1": "key"}
    assert job.lease_until == NOW + 99
    assert world.job == job


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED])
def test_a_job_that_has_ended_is_not_cancelled(status: Status) -> None:
    world = World(status=status)
    assert world.cancel() == world.job
    assert (world.job.status, world.job.version) == (status, 1)


def test_an_unknown_job_can_be_neither_cancelled_nor_retried() -> None:
    world = World()
    world.jobs.jobs.clear()
    with pytest.raises(JobNotFound):
        world.cancel()
    with pytest.raises(JobNotFound):
        world.retry()


@pytest.mark.parametrize(("given", "expected"), [(None, 500), (900, 900)])
def test_a_retry_keeps_the_cost_limit_or_takes_another(given: int | None, expected: int) -> None:
    world = a_world_with_a_partial_job()
    job = world.job
    world.jobs.cases["case-1", job.job_id, job.revision] = replace(CASE, max_cost_micro_usd=500)
    again = world.retry(max_cost=given)
    assert again.max_cost_micro_usd == expected
    assert world.workers.orders[-1].case.max_cost_micro_usd == expected


def test_a_retry_gives_the_missing_shots_all_attempts_and_time() -> None:
    world = a_world_with_a_partial_job()
    job = world.retry()
    assert (job.status, job.run, job.failures) == (Status.PENDING, 5, {})
    assert (job.retry_count, job.lost_runs, job.caller_retries) == (0, 0, 1)
    assert (job.deadline_at, job.due_at) == (NOW + TIMING.deadline, NOW + TIMING.grace)
    assert job.completed_at is None
    [order] = world.workers.orders
    assert (order.run, set(order.done), order.failed) == (5, {"evidence-1", "evidence-2"}, {})


def test_a_retry_may_change_descriptions_and_then_old_pictures_do_not_count() -> None:
    world = a_world_with_a_partial_job()
    old = keys_of(CASE, "evidence-3")["evidence-3"]
    job = world.retry({"evidence-3": "a brass key, no blood"})
    [order] = world.workers.orders
    shot = order.case.shots[2]
    assert shot.description == "a brass key, no blood"
    assert job.digests == order.digests
    where = {"case_id": "case-1", "job_id": "job-1", "shot_id": "evidence-3", "digest": job.shots[2].digest}
    assert image_run(old, **where) is None
    assert world.jobs.get_case(job) == order.case
    assert job.revision == 1


def test_a_second_retry_builds_on_the_descriptions_of_the_first() -> None:
    world = a_world_with_a_partial_job()
    first = world.retry({"evidence-3": "second try"})
    world.jobs.jobs["case-1"] = replace(first, status=Status.PARTIAL)
    world.retry()
    assert world.workers.orders[-1].case.shots[2].description == "second try"
    assert (world.job.revision, world.job.caller_retries) == (1, 2)


def test_a_retry_keeps_the_digests_of_what_it_does_not_change() -> None:
    # Under this salt every digest that is computed anew is another.
    world = World(status=Status.PARTIAL, images=keys_of(CASE, "evidence-1"), salt="another")
    before, same_words = world.job.digests, CASE.shots[1].description
    after = world.retry({"evidence-2": same_words, "evidence-3": "a brass key, no blood"}).digests
    assert {shot_id for shot_id, digest in after.items() if digest != before[shot_id]} == {"evidence-3"}


def test_a_description_that_is_restored_has_its_old_digest() -> None:
    world = a_world_with_a_partial_job()
    first, digests = world.job.digests["evidence-3"], []
    for description in ("a brass key, no blood", CASE.shots[2].description):
        digests.append(world.retry({"evidence-3": description}).digests["evidence-3"])
        world.jobs.jobs["case-1"] = replace(world.job, status=Status.PARTIAL)
    assert digests[0] != first == digests[1]


@pytest.mark.parametrize("shot_id", ["evidence-1", "ghost"])
def test_only_shots_without_a_picture_can_be_changed(shot_id: str) -> None:
    world = a_world_with_a_partial_job()
    with pytest.raises(InvalidInput) as raised:
        world.retry({shot_id: "x"})
    assert [e.field for e in raised.value.errors] == [f"shots.{shot_id}"]
    assert world.job.status is Status.PARTIAL


@pytest.mark.parametrize("status", [Status.PENDING, Status.GENERATING])
def test_an_open_job_cannot_be_retried(status: Status) -> None:
    with pytest.raises(JobOpen):
        World(status=status).retry()


def test_a_completed_job_has_nothing_to_retry() -> None:
    with pytest.raises(NothingToRetry):
        World(status=Status.COMPLETED, images=keys_of(CASE, *(s.id for s in CASE.shots))).retry()


def test_a_cancelled_job_is_retried_only_when_its_worker_has_stopped_or_must_be_dead() -> None:
    world = World(status=Status.CANCELLED, claim="claim-1", lease_until=NOW + 200_000)
    with pytest.raises(StillStopping) as raised:
        world.retry()
    assert raised.value.seconds == 10
    world.clock.now = NOW + 199_500
    with pytest.raises(StillStopping) as raised:
        world.retry()
    assert raised.value.seconds == 1
    world.clock.now = NOW + 200_000
    assert world.retry().status is Status.PENDING


def test_a_retry_sent_twice_is_paid_once() -> None:
    world = a_world_with_a_partial_job()
    seen = {world.job.tag}
    job = world.retry(seen=seen)
    world.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    with pytest.raises(StaleVersion):
        world.retry(seen=seen)
    assert len(world.workers.orders) == 1


def test_a_refused_worker_leaves_the_retried_job_to_the_sweeper() -> None:
    world = a_world_with_a_partial_job()
    world.workers.refusing = True
    job = world.retry()
    assert job.status is Status.PENDING
    assert "TooManyRequestsException" in (job.last_error or "")
    assert world.jobs.due(job.due_at or 0, 10) == ["case-1"]


def test_a_retry_that_changes_nothing_stores_nothing_of_the_case() -> None:
    world = a_world_with_a_partial_job()
    for number in range(1, 4):
        job = world.retry()
        assert (job.revision, job.caller_retries) == (0, number)
        world.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    assert len(world.jobs.cases) == 1


def test_a_retry_stores_the_case_anew_when_it_would_expire_too_early() -> None:
    world = a_world_with_a_partial_job()
    until = world.job.revision_until
    assert until == NOW + TIMING.deadline + REVISION_SPARE
    world.clock.now = until - TIMING.deadline
    job = world.retry()
    assert (job.revision, job.deadline_at, job.revision_until) == (0, until, until)
    world.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    world.clock.now += 1
    job = world.retry()
    assert (job.revision, job.revision_until) == (1, job.deadline_at + REVISION_SPARE)
    assert world.jobs.get_case(job) == CASE


def test_a_retry_of_a_cancelled_job_counts_to_the_daily_limit() -> None:
    world = World()
    world.daily_limit.limit = 2
    for _ in range(2):
        world.cancel()
        world.retry()
    world.cancel()
    before = world.job
    with pytest.raises(DailyLimitReached):
        world.retry()
    assert (world.job, world.counted("desk"), len(world.workers.orders)) == (before, 2, 2)


def test_a_retry_counts_when_the_runs_since_the_last_one_have_paid_for_no_picture() -> None:
    world = a_world_with_a_partial_job()
    world.retry()
    assert world.counted("desk") == 0, "what failed for free may be retried for free"
    world.jobs.jobs["case-1"] = replace(world.job, status=Status.FAILED, wasted_micro_usd=33_600)
    world.retry()
    assert world.counted("desk") == 1
    world.jobs.jobs["case-1"] = replace(world.job, status=Status.FAILED)
    world.retry()
    assert world.counted("desk") == 1, "that was counted"


def test_a_retry_whose_write_was_lost_counts_once() -> None:
    world = World(status=Status.CANCELLED)
    world.jobs.lost_writes = 3
    world.retry()
    assert world.counted("desk") == 1


@pytest.mark.parametrize(
    "state", [{"status": Status.GENERATING}, {"status": Status.CANCELLED, "lease_until": NOW + 1}]
)
def test_a_retry_that_is_refused_counts_for_nothing(state: dict[str, object]) -> None:
    world = World(**state)
    with pytest.raises((JobOpen, StillStopping)):
        world.retry()
    assert world.counted("desk") == 0


def test_guests_retry_three_times_for_the_owner_and_again_when_the_owner_has_retried() -> None:
    world = a_world_with_a_partial_job()
    world.jobs.jobs["case-1"] = replace(world.job, caller="game")

    def fails() -> None:
        world.jobs.jobs["case-1"] = replace(world.job, status=Status.FAILED)

    for number in range(1, GUEST_RETRIES + 1):
        world.retry(by=GUEST)
        assert (world.counted("game"), world.counted(GUEST.caller)) == (number, 0)
        with pytest.raises(JobOpen):
            world.retry(by=GUEST)
        fails()
    before = world.job
    with pytest.raises(Forbidden, match="3 times"):
        world.retry({"evidence-3": "other words"}, by=GUEST)
    assert (world.job, world.counted("game")) == (before, GUEST_RETRIES)
    assert len(world.jobs.cases) == 1
    world.retry()
    fails()
    assert world.retry(by=GUEST).guest_retries == 1


@pytest.mark.parametrize("lease_until", [None, NOW + 9_000])
def test_a_guest_cannot_retry_a_cancelled_job(lease_until: int | None) -> None:
    world = World(status=Status.CANCELLED, lease_until=lease_until)
    before = world.job
    with pytest.raises(Forbidden, match="cancelled"):
        world.retry(by=GUEST)
    assert (world.job, world.counted("")) == (before, 0)


def test_a_guest_without_retries_left_still_learns_that_there_is_nothing_to_retry() -> None:
    done = keys_of(CASE, *(s.id for s in CASE.shots))
    world = World(status=Status.COMPLETED, images=done, guest_retries=GUEST_RETRIES)
    with pytest.raises(NothingToRetry):
        world.retry(by=GUEST)


def test_a_guest_cannot_retry_when_the_owners_daily_limit_is_reached() -> None:
    world = a_world_with_a_partial_job()
    world.daily_limit.limit = 1
    world.daily_limit.take("game", NOW)
    world.jobs.jobs["case-1"] = replace(world.job, caller="game")
    with pytest.raises(DailyLimitReached):
        world.retry(by=GUEST)
    assert world.job.status is Status.PARTIAL
