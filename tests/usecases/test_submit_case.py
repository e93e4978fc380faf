"""The submission of a case."""

from dataclasses import replace
from typing import override

import pytest
from darkroom.domain.case import Case
from darkroom.domain.errors import CaseConflict, DailyLimitReached, JobOpen, StaleVersion, StillStopping
from darkroom.domain.job import Job, Status
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.submit_case import SubmitCase

from testing.builders import NOW, TIMING, a_case, a_job
from testing.fakes.jobs import MemoryDailyLimit, MemoryJobs, RecordedWorkers
from testing.fakes.time_and_ids import Ids, ManualClock

URL = "https://api.example/api/webhook/image-progress"


def a_submission(
    jobs: MemoryJobs, workers: RecordedWorkers, limit: int = 0, clock: ManualClock | None = None
) -> SubmitCase:
    return SubmitCase(
        jobs=jobs,
        daily_limit=MemoryDailyLimit(limit),
        start=StartWorker(jobs=jobs, workers=workers),
        clock=clock or ManualClock(NOW),
        new_id=Ids("job"),
        timing=TIMING,
    )


def test_a_new_case_gets_a_pending_job_and_one_worker() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    job, created = a_submission(jobs, workers)(a_case(), caller="game", webhook_url=URL)
    assert created
    assert (job.status, len(job.shots), job.job_id) == (Status.PENDING, 14, "job-1")
    [order] = workers.orders
    assert (order.case, order.run, order.hop, order.webhook_url) == (a_case(), 1, 0, URL)
    assert (order.claim_before, order.done) == (job.due_at, {})
    assert jobs.jobs == {"case-1": job}


def test_the_same_case_again_is_the_same_job_and_no_worker() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    first, _ = submit(a_case(), caller="game", webhook_url=URL)
    again, created = submit(a_case(), caller="game", webhook_url=URL)
    assert (again, created, len(workers.orders)) == (first, False, 1)


def test_each_job_has_its_own_salt_also_a_replacement() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    first, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = replace(first, status=Status.FAILED)
    second, _ = submit(a_case(evidence=3), caller="game", webhook_url=URL, replace=True)
    other, _ = submit(a_case(case_id="case-2"), caller="game", webhook_url=URL)
    assert len({first.salt, second.salt, other.salt, "", first.job_id, second.job_id, other.job_id}) == 7
    assert not set(first.digests.values()) & {*second.digests.values(), *other.digests.values()}


def test_the_same_case_returns_its_job_in_whatever_state() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    job, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = replace(job, status=Status.FAILED, version=9)
    assert submit(a_case(), caller="game", webhook_url=URL)[0].status is Status.FAILED


def test_another_body_under_the_same_case_id_is_a_conflict() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    submit(a_case(), caller="game", webhook_url=URL)
    with pytest.raises(CaseConflict):
        submit(a_case(evidence=3), caller="game", webhook_url=URL)
    assert len(workers.orders) == 1


def test_a_refused_worker_leaves_the_job_pending_for_the_sweeper() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers(refusing=True)
    job, created = a_submission(jobs, workers)(a_case(), caller="game", webhook_url=URL)
    assert created
    assert (job.status, jobs.jobs["case-1"]) == (Status.PENDING, job)
    assert "TooManyRequestsException" in (job.last_error or "")
    assert jobs.due(job.due_at or 0, 10) == ["case-1"]


def test_a_job_that_changed_meanwhile_is_returned_as_it_is() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers(refusing=True)
    jobs.lost_writes = 1
    job, _ = a_submission(jobs, workers)(a_case(), caller="game", webhook_url=URL)
    assert (job.version, job.last_error) == (2, None)


OTHER = a_case(evidence=3)


def test_a_job_that_has_ended_can_be_replaced_by_another_case() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = replace(old, status=Status.PARTIAL, run=4, version=9, lease_until=None)
    job, created = submit(OTHER, caller="game", webhook_url=URL, replace=True)
    assert created
    assert (job.run, job.version, job.status, job.images) == (5, 10, Status.PENDING, {})
    assert job.job_id not in (old.job_id, "")
    assert jobs.get_case(job) == OTHER
    assert workers.orders[-1].job_id == job.job_id


def test_the_same_case_replaces_nothing() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = ended = replace(old, status=Status.PARTIAL, version=9)
    assert submit(a_case(), caller="game", webhook_url=URL, replace=True) == (ended, False)


def test_an_open_job_cannot_be_replaced() -> None:
    submit = a_submission(MemoryJobs(), RecordedWorkers())
    submit(a_case(), caller="game", webhook_url=URL)
    with pytest.raises(JobOpen):
        submit(OTHER, caller="game", webhook_url=URL, replace=True)


def test_a_cancelled_job_can_be_replaced_when_its_worker_has_stopped() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = replace(old, status=Status.CANCELLED, lease_until=NOW + 1)
    with pytest.raises(StillStopping):
        submit(OTHER, caller="game", webhook_url=URL, replace=True)
    jobs.jobs["case-1"] = replace(old, status=Status.CANCELLED, lease_until=NOW)
    assert submit(OTHER, caller="game", webhook_url=URL, replace=True)[1]


def test_a_replacement_of_an_old_state_is_refused() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = ended = replace(old, status=Status.FAILED, version=9)
    with pytest.raises(StaleVersion):
        submit(OTHER, caller="game", webhook_url=URL, replace=True, seen={old.tag})
    assert submit(OTHER, caller="game", webhook_url=URL, replace=True, seen={old.tag, ended.tag})[1]


def submit_many(submit: SubmitCase, count: int, caller: str = "game") -> None:
    for number in range(count):
        submit(a_case(case_id=f"{caller}-{number}"), caller=caller, webhook_url=URL)


def test_a_caller_who_has_submitted_enough_for_today_is_refused_and_nothing_is_stored() -> None:
    jobs, clock = MemoryJobs(), ManualClock(NOW)
    submit = a_submission(jobs, RecordedWorkers(), limit=2, clock=clock)
    submit_many(submit, 2)
    with pytest.raises(DailyLimitReached) as refused:
        submit(a_case(), caller="game", webhook_url=URL)
    assert len(jobs.jobs) == 2
    submit_many(submit, 2, caller="another game")
    clock.pass_seconds(refused.value.seconds)
    assert submit(a_case(), caller="game", webhook_url=URL)[1]


def test_a_submission_without_a_new_job_does_not_count() -> None:
    jobs = MemoryJobs()
    submit = a_submission(jobs, RecordedWorkers(), limit=2)
    job, _ = submit(a_case(), caller="game", webhook_url=URL)
    for _ in range(3):
        assert submit(a_case(), caller="game", webhook_url=URL) == (job, False)
        with pytest.raises(CaseConflict):
            submit(OTHER, caller="game", webhook_url=URL)
        with pytest.raises(JobOpen):
            submit(OTHER, caller="game", webhook_url=URL, replace=True)
    assert submit(a_case(case_id="case-2"), caller="game", webhook_url=URL)[1]


def test_a_replacement_counts() -> None:
    jobs = MemoryJobs()
    submit = a_submission(jobs, RecordedWorkers(), limit=1)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = ended = replace(old, status=Status.FAILED, version=9)
    with pytest.raises(DailyLimitReached):
        submit(OTHER, caller="game", webhook_url=URL, replace=True)
    assert jobs.jobs["case-1"] == ended


def test_a_replacement_whose_write_was_lost_counts_once() -> None:
    jobs = MemoryJobs()
    submit = a_submission(jobs, RecordedWorkers(), limit=2)
    old, _ = submit(a_case(), caller="game", webhook_url=URL)
    jobs.jobs["case-1"] = replace(old, status=Status.FAILED, version=9)
    jobs.lost_writes = 3
    assert submit(OTHER, caller="game", webhook_url=URL, replace=True)[1]


def test_a_submission_that_replaces_a_concurrent_one_counts_once() -> None:
    jobs = MemoryJobs()
    submit = a_submission(jobs, RecordedWorkers(), limit=1)
    other = replace(a_job(), status=Status.FAILED)

    class Late(MemoryJobs):
        """A store in which somebody else submits between the read and the write."""

        @override
        def create(self, job: Job, case: Case) -> bool:
            self.jobs[job.case_id] = other
            return False

    submit = replace(submit, jobs=(late := Late()))
    assert submit(OTHER, caller="game", webhook_url=URL, replace=True)[1]
    assert late.get("case-1").request_digest == OTHER.digest
