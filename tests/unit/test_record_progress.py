"""Merging snapshots under contention."""

import pytest
from darkroom.domain.errors import Contention, JobNotFound
from darkroom.domain.job import Status
from darkroom.domain.progress import SnapshotKind
from darkroom.usecases.record_progress import TRIES, RecordProgress

from tests.builders import TIMING, a_case, a_job, a_snapshot
from tests.fakes import ManualClock, MemoryJobs

CASE = a_case(evidence=2, locations=0)
CLAIM = a_snapshot(CASE, SnapshotKind.CLAIM, 1)


def a_recorder(jobs: MemoryJobs) -> RecordProgress:
    return RecordProgress(jobs=jobs, clock=ManualClock(), timing=TIMING)


def test_a_snapshot_is_stored() -> None:
    jobs = MemoryJobs()
    jobs.create(a_job(CASE), CASE)
    assert a_recorder(jobs)(CLAIM).status is Status.GENERATING
    assert jobs.get("case-1").status is Status.GENERATING


def test_a_repeated_snapshot_is_not_written_again() -> None:
    jobs = MemoryJobs()
    jobs.create(a_job(CASE), CASE)
    record = a_recorder(jobs)
    record(CLAIM)
    assert record(CLAIM).version == 2


def test_a_lost_write_is_decided_again_on_what_won() -> None:
    jobs = MemoryJobs()
    jobs.create(a_job(CASE), CASE)
    jobs.lost_writes = TRIES - 1
    job = a_recorder(jobs)(CLAIM)
    assert (job.status, job.version) == (Status.GENERATING, TRIES + 1)


def test_losing_every_write_is_contention() -> None:
    jobs = MemoryJobs()
    jobs.create(a_job(CASE), CASE)
    jobs.lost_writes = TRIES
    with pytest.raises(Contention):
        a_recorder(jobs)(CLAIM)


def test_a_snapshot_of_an_unknown_case_is_not_found() -> None:
    with pytest.raises(JobNotFound):
        a_recorder(MemoryJobs())(CLAIM)
