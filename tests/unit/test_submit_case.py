"""Accepting a case."""

from dataclasses import replace

import pytest
from darkroom.domain.errors import CaseConflict
from darkroom.domain.job import Status
from darkroom.usecases.submit_case import SubmitCase

from tests.builders import TIMING, a_case
from tests.fakes import Ids, ManualClock, MemoryJobs, RecordedWorkers

URL = "https://api.example/api/webhook/image-progress"


def a_submission(jobs: MemoryJobs, workers: RecordedWorkers) -> SubmitCase:
    return SubmitCase(jobs=jobs, workers=workers, clock=ManualClock(), new_id=Ids("job"), timing=TIMING)


def test_a_new_case_gets_a_pending_job_and_one_worker() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    job, created = a_submission(jobs, workers)(a_case(), webhook_url=URL)
    assert created
    assert (job.status, len(job.shots), job.job_id) == (Status.PENDING, 14, "job-1")
    [order] = workers.orders
    assert (order.case, order.run, order.hop, order.webhook_url) == (a_case(), 1, 0, URL)
    assert (order.claim_before, order.done) == (job.due_at, {})
    assert jobs.jobs == {"case-1": job}


def test_the_same_case_again_is_the_same_job_and_no_worker() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    first, _ = submit(a_case(), webhook_url=URL)
    again, created = submit(a_case(), webhook_url=URL)
    assert (again, created, len(workers.orders)) == (first, False, 1)


def test_the_same_case_is_answered_whatever_became_of_its_job() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    job, _ = submit(a_case(), webhook_url=URL)
    jobs.jobs["case-1"] = replace(job, status=Status.FAILED, version=9)
    assert submit(a_case(), webhook_url=URL)[0].status is Status.FAILED


def test_another_body_under_the_same_case_id_is_a_conflict() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers()
    submit = a_submission(jobs, workers)
    submit(a_case(), webhook_url=URL)
    with pytest.raises(CaseConflict):
        submit(a_case(evidence=3), webhook_url=URL)
    assert len(workers.orders) == 1


def test_a_refused_worker_leaves_the_job_pending_for_the_sweeper() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers(refusing=True)
    job, created = a_submission(jobs, workers)(a_case(), webhook_url=URL)
    assert created
    assert (job.status, jobs.jobs["case-1"]) == (Status.PENDING, job)
    assert "TooManyRequestsException" in (job.last_error or "")
    assert jobs.due(job.due_at or 0, 10) == ["case-1"]


def test_a_job_that_moved_meanwhile_is_answered_as_it_is() -> None:
    jobs, workers = MemoryJobs(), RecordedWorkers(refusing=True)
    jobs.lost_writes = 1
    job, _ = a_submission(jobs, workers)(a_case(), webhook_url=URL)
    assert (job.version, job.last_error) == (2, None)
