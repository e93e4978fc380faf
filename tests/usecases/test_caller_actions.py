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


class Office:
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


def a_partial_office() -> Office:
    """Return an office in whose job two of three shots are done.

    The third was refused, after all retries and near the deadline.
    """
    return Office(
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
    office = Office(status=Status.PENDING, images={"evidence-1": "key"})
    job = office.cancel()
    assert (job.status, job.completed_at, job.due_at) == (Status.CANCELLED, NOW, None)
    assert job.images == {"evidence-1": "key"}
    assert office.job == job


def test_a_cancelled_job_with_a_worker_is_due_when_the_lease_ends() -> None:
    office = Office(
        status=Status.GENERATING, claim="claim-1", lease_until=NOW + 99, images={"evidence-1": "key"}
    )
    job = office.cancel()
    assert (job.status, job.completed_at, job.due_at) == (Status.CANCELLED, NOW, NOW + 99)
    assert job.images == {"evidence-1": "key"}
    assert job.lease_until == NOW + 99
    assert office.job == job


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.PARTIAL, Status.FAILED, Status.CANCELLED])
def test_a_job_that_has_ended_is_not_cancelled(status: Status) -> None:
    office = Office(status=status)
    assert office.cancel() == office.job
    assert (office.job.status, office.job.version) == (status, 1)


def test_an_unknown_job_can_be_neither_cancelled_nor_retried() -> None:
    office = Office()
    office.jobs.jobs.clear()
    with pytest.raises(JobNotFound):
        office.cancel()
    with pytest.raises(JobNotFound):
        office.retry()


@pytest.mark.parametrize(("given", "expected"), [(None, 500), (900, 900)])
def test_a_retry_keeps_the_cost_limit_or_takes_another(given: int | None, expected: int) -> None:
    office = a_partial_office()
    job = office.job
    office.jobs.cases["case-1", job.job_id, job.revision] = replace(CASE, max_cost_micro_usd=500)
    again = office.retry(max_cost=given)
    assert again.max_cost_micro_usd == expected
    assert office.workers.orders[-1].case.max_cost_micro_usd == expected


def test_a_retry_gives_the_missing_shots_all_attempts_and_time() -> None:
    office = a_partial_office()
    job = office.retry()
    assert (job.status, job.run, job.failures) == (Status.PENDING, 5, {})
    assert (job.retry_count, job.lost_runs, job.caller_retries) == (0, 0, 1)
    assert (job.deadline_at, job.due_at) == (NOW + TIMING.deadline, NOW + TIMING.grace)
    assert job.completed_at is None
    [order] = office.workers.orders
    assert (order.run, set(order.done), order.failed) == (5, {"evidence-1", "evidence-2"}, {})


def test_a_retry_may_change_descriptions_and_then_old_pictures_do_not_count() -> None:
    office = a_partial_office()
    old = keys_of(CASE, "evidence-3")["evidence-3"]
    job = office.retry({"evidence-3": "a brass key, no blood"})
    [order] = office.workers.orders
    shot = order.case.shots[2]
    assert shot.description == "a brass key, no blood"
    assert job.digests == order.digests
    where = {"case_id": "case-1", "job_id": "job-1", "shot_id": "evidence-3", "digest": job.shots[2].digest}
    assert image_run(old, **where) is None
    assert office.jobs.get_case(job) == order.case
    assert job.revision == 1


def test_a_second_retry_builds_on_the_descriptions_of_the_first() -> None:
    office = a_partial_office()
    first = office.retry({"evidence-3": "second try"})
    office.jobs.jobs["case-1"] = replace(first, status=Status.PARTIAL)
    office.retry()
    assert office.workers.orders[-1].case.shots[2].description == "second try"
    assert (office.job.revision, office.job.caller_retries) == (1, 2)


def test_a_retry_keeps_the_digests_of_what_it_does_not_change() -> None:
    # Under this salt every digest that is computed anew is another.
    office = Office(status=Status.PARTIAL, images=keys_of(CASE, "evidence-1"), salt="another")
    before, same_words = office.job.digests, CASE.shots[1].description
    after = office.retry({"evidence-2": same_words, "evidence-3": "a brass key, no blood"}).digests
    assert {shot_id for shot_id, digest in after.items() if digest != before[shot_id]} == {"evidence-3"}


def test_a_description_that_is_restored_has_its_old_digest() -> None:
    office = a_partial_office()
    first, digests = office.job.digests["evidence-3"], []
    for description in ("a brass key, no blood", CASE.shots[2].description):
        digests.append(office.retry({"evidence-3": description}).digests["evidence-3"])
        office.jobs.jobs["case-1"] = replace(office.job, status=Status.PARTIAL)
    assert digests[0] != first == digests[1]


@pytest.mark.parametrize("shot_id", ["evidence-1", "ghost"])
def test_only_shots_without_a_picture_can_be_changed(shot_id: str) -> None:
    office = a_partial_office()
    with pytest.raises(InvalidInput) as raised:
        office.retry({shot_id: "x"})
    assert [e.field for e in raised.value.errors] == [f"shots.{shot_id}"]
    assert office.job.status is Status.PARTIAL


@pytest.mark.parametrize("status", [Status.PENDING, Status.GENERATING])
def test_an_open_job_cannot_be_retried(status: Status) -> None:
    with pytest.raises(JobOpen):
        Office(status=status).retry()


def test_a_completed_job_has_nothing_to_retry() -> None:
    with pytest.raises(NothingToRetry):
        Office(status=Status.COMPLETED, images=keys_of(CASE, *(s.id for s in CASE.shots))).retry()


def test_a_cancelled_job_is_retried_only_when_its_worker_has_stopped_or_must_be_dead() -> None:
    office = Office(status=Status.CANCELLED, claim="claim-1", lease_until=NOW + 200_000)
    with pytest.raises(StillStopping) as raised:
        office.retry()
    assert raised.value.seconds == 10
    office.clock.now = NOW + 199_500
    with pytest.raises(StillStopping) as raised:
        office.retry()
    assert raised.value.seconds == 1
    office.clock.now = NOW + 200_000
    assert office.retry().status is Status.PENDING


def test_a_retry_sent_twice_is_paid_once() -> None:
    office = a_partial_office()
    seen = {office.job.tag}
    job = office.retry(seen=seen)
    office.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    with pytest.raises(StaleVersion):
        office.retry(seen=seen)
    assert len(office.workers.orders) == 1


def test_a_refused_worker_leaves_the_retried_job_to_the_sweeper() -> None:
    office = a_partial_office()
    office.workers.refusing = True
    job = office.retry()
    assert job.status is Status.PENDING
    assert "TooManyRequestsException" in (job.last_error or "")
    assert office.jobs.due(job.due_at or 0, 10) == ["case-1"]


def test_a_retry_that_changes_nothing_stores_nothing_of_the_case() -> None:
    office = a_partial_office()
    for number in range(1, 4):
        job = office.retry()
        assert (job.revision, job.caller_retries) == (0, number)
        office.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    assert len(office.jobs.cases) == 1


def test_a_retry_stores_the_case_anew_when_it_would_expire_too_early() -> None:
    office = a_partial_office()
    until = office.job.revision_until
    assert until == NOW + TIMING.deadline + REVISION_SPARE
    office.clock.now = until - TIMING.deadline
    job = office.retry()
    assert (job.revision, job.deadline_at, job.revision_until) == (0, until, until)
    office.jobs.jobs["case-1"] = replace(job, status=Status.FAILED)
    office.clock.now += 1
    job = office.retry()
    assert (job.revision, job.revision_until) == (1, job.deadline_at + REVISION_SPARE)
    assert office.jobs.get_case(job) == CASE


def test_a_retry_of_a_cancelled_job_counts_to_the_daily_limit() -> None:
    office = Office()
    office.daily_limit.limit = 2
    for _ in range(2):
        office.cancel()
        office.retry()
    office.cancel()
    before = office.job
    with pytest.raises(DailyLimitReached):
        office.retry()
    assert (office.job, office.counted("desk"), len(office.workers.orders)) == (before, 2, 2)


def test_a_retry_counts_when_the_runs_since_the_last_one_have_paid_for_no_picture() -> None:
    office = a_partial_office()
    office.retry()
    assert office.counted("desk") == 0, "what failed for free may be retried for free"
    office.jobs.jobs["case-1"] = replace(office.job, status=Status.FAILED, wasted_micro_usd=33_600)
    office.retry()
    assert office.counted("desk") == 1
    office.jobs.jobs["case-1"] = replace(office.job, status=Status.FAILED)
    office.retry()
    assert office.counted("desk") == 1, "that was counted"


def test_a_retry_whose_write_was_lost_counts_once() -> None:
    office = Office(status=Status.CANCELLED)
    office.jobs.lost_writes = 3
    office.retry()
    assert office.counted("desk") == 1


@pytest.mark.parametrize(
    "state", [{"status": Status.GENERATING}, {"status": Status.CANCELLED, "lease_until": NOW + 1}]
)
def test_a_retry_that_is_refused_counts_for_nothing(state: dict[str, object]) -> None:
    office = Office(**state)
    with pytest.raises((JobOpen, StillStopping)):
        office.retry()
    assert office.counted("desk") == 0


def test_guests_retry_three_times_for_the_owner_and_again_when_the_owner_has_retried() -> None:
    office = a_partial_office()
    office.jobs.jobs["case-1"] = replace(office.job, caller="game")

    def fails() -> None:
        office.jobs.jobs["case-1"] = replace(office.job, status=Status.FAILED)

    for number in range(1, GUEST_RETRIES + 1):
        office.retry(by=GUEST)
        assert (office.counted("game"), office.counted(GUEST.caller)) == (number, 0)
        with pytest.raises(JobOpen):
            office.retry(by=GUEST)
        fails()
    before = office.job
    with pytest.raises(Forbidden, match="3 times"):
        office.retry({"evidence-3": "other words"}, by=GUEST)
    assert (office.job, office.counted("game")) == (before, GUEST_RETRIES)
    assert len(office.jobs.cases) == 1
    office.retry()
    fails()
    assert office.retry(by=GUEST).guest_retries == 1


@pytest.mark.parametrize("lease_until", [None, NOW + 9_000])
def test_a_guest_cannot_retry_a_cancelled_job(lease_until: int | None) -> None:
    office = Office(status=Status.CANCELLED, lease_until=lease_until)
    before = office.job
    with pytest.raises(Forbidden, match="cancelled"):
        office.retry(by=GUEST)
    assert (office.job, office.counted("")) == (before, 0)


def test_a_guest_without_retries_left_still_learns_that_there_is_nothing_to_retry() -> None:
    done = keys_of(CASE, *(s.id for s in CASE.shots))
    office = Office(status=Status.COMPLETED, images=done, guest_retries=GUEST_RETRIES)
    with pytest.raises(NothingToRetry):
        office.retry(by=GUEST)


def test_a_guest_cannot_retry_when_the_owners_daily_limit_is_reached() -> None:
    office = a_partial_office()
    office.daily_limit.limit = 1
    office.daily_limit.take("game", NOW)
    office.jobs.jobs["case-1"] = replace(office.job, caller="game")
    with pytest.raises(DailyLimitReached):
        office.retry(by=GUEST)
    assert office.job.status is Status.PARTIAL
