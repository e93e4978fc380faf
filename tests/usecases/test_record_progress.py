"""The merging of snapshots under contention, and the continuation after a worker that ran out of time."""

from dataclasses import replace

import pytest
from darkroom.domain.errors import Contention, JobNotFound, Superseded
from darkroom.domain.job import Job, Status
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.usecases.change_job import ATTEMPTS
from darkroom.usecases.record_progress import RecordProgress
from darkroom.usecases.start_worker import StartWorker

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot
from testing.fakes.jobs import MemoryJobs, RecordedWorkers
from testing.fakes.time_and_ids import ManualClock

CASE = a_case(evidence=2, locations=0)
CLAIM = a_snapshot(CASE, SnapshotKind.CLAIM, 1)
GO_ON = a_snapshot(CASE, SnapshotKind.CONTINUE, 2, done=("evidence-1",))
URL = "https://api.example/hook"


class World:
    """The webhook with one pending job."""

    def __init__(self) -> None:
        self.jobs = MemoryJobs()
        self.workers = RecordedWorkers()
        self.jobs.create(a_job(CASE), CASE)

    def record(self, snapshot: Snapshot) -> Job:
        use_case = RecordProgress(
            jobs=self.jobs,
            start=StartWorker(jobs=self.jobs, workers=self.workers),
            clock=ManualClock(NOW),
            timing=TIMING,
        )
        return use_case(snapshot, webhook_url=URL)


def test_a_snapshot_is_stored() -> None:
    world = World()
    assert world.record(CLAIM).status is Status.GENERATING
    assert world.jobs.get("case-1").status is Status.GENERATING


def test_a_repeated_snapshot_is_not_written_again() -> None:
    world = World()
    world.record(CLAIM)
    assert world.record(CLAIM).version == 2


def test_a_lost_write_is_decided_again_on_the_stored_job() -> None:
    world = World()
    world.jobs.lost_writes = ATTEMPTS - 1
    job = world.record(CLAIM)
    assert (job.status, job.version) == (Status.GENERATING, ATTEMPTS + 1)


def test_losing_every_write_is_contention() -> None:
    world = World()
    world.jobs.lost_writes = ATTEMPTS
    with pytest.raises(Contention):
        world.record(CLAIM)


@pytest.mark.parametrize(("sent_at", "latency"), [(NOW - 250, 250), (NOW, 0), (NOW + 900, 0), (None, None)])
def test_a_snapshot_from_a_fast_clock_has_no_negative_latency(
    sent_at: int | None, latency: int | None
) -> None:
    assert World().record(replace(CLAIM, sent_at=sent_at)).latency == latency


def test_a_snapshot_of_an_unknown_case_is_not_found() -> None:
    world = World()
    world.jobs.jobs.clear()
    with pytest.raises(JobNotFound):
        world.record(CLAIM)


def test_a_continuation_starts_the_next_run_with_what_is_done() -> None:
    world = World()
    world.record(CLAIM)
    job = world.record(GO_ON)
    [order] = world.workers.orders
    assert (order.run, order.hop, set(order.done), order.webhook_url) == (2, 1, {"evidence-1"}, URL)
    assert order.claim_before == job.due_at


def test_a_repeated_continuation_starts_nothing() -> None:
    world = World()
    world.record(CLAIM)
    world.record(GO_ON)
    with pytest.raises(Superseded):
        world.record(GO_ON)
    assert len(world.workers.orders) == 1


def test_a_continuation_whose_worker_cannot_be_started_is_left_to_the_sweeper() -> None:
    world = World()
    world.workers.refusing = True
    world.record(CLAIM)
    job = world.record(GO_ON)
    assert job.status is Status.PENDING
    assert world.jobs.due(job.due_at or 0, 10) == ["case-1"]
