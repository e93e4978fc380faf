"""Looking after jobs nobody else will."""

from dataclasses import dataclass, field

from darkroom.domain.job import Job, Status
from darkroom.domain.progress import SnapshotKind, apply
from darkroom.usecases.sweep_jobs import SweepJobs

from tests.builders import NOW, TIMING, a_case, a_job, a_snapshot
from tests.fakes import ManualClock, MemoryJobs, RecordedWorkers

CASE = a_case(evidence=2, locations=1)


@dataclass
class World:
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    workers: RecordedWorkers = field(default_factory=RecordedWorkers)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    limit: int = 10

    @property
    def sweep(self) -> SweepJobs:
        return SweepJobs(
            jobs=self.jobs,
            workers=self.workers,
            clock=self.clock,
            timing=TIMING,
            webhook_url="https://api.example/hook",
            limit=self.limit,
        )

    def until_due(self, job: Job) -> None:
        assert job.due_at is not None
        self.clock.now = job.due_at


def a_world(*case_ids: str) -> World:
    world = World()
    for case_id in case_ids or ("case-1",):
        case = a_case(evidence=2, locations=1, case_id=case_id)
        world.jobs.create(a_job(case), case)
    return world


def test_a_job_is_left_alone_until_it_is_due() -> None:
    world = a_world()
    world.clock.now += TIMING.grace - 1
    assert world.sweep().rearmed == ()
    assert world.workers.orders == []


def test_a_stale_pending_job_is_armed_again_and_handed_to_a_worker() -> None:
    world = a_world()
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().rearmed == ("case-1",)
    job = world.jobs.get("case-1")
    assert (job.run, job.retry_count, job.status) == (2, 1, Status.PENDING)
    [order] = world.workers.orders
    assert (order.run, order.case, order.claim_before) == (2, CASE, job.due_at)


def test_a_lost_worker_is_replaced_when_its_lease_ends_and_its_pictures_are_kept() -> None:
    world = a_world()
    for snapshot in (
        a_snapshot(CASE, SnapshotKind.CLAIM, 1),
        a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",)),
    ):
        world.jobs.save(apply(world.jobs.get("case-1"), snapshot, now=NOW, timing=TIMING))
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    job = world.jobs.get("case-1")
    assert (job.status, job.claim, job.last_error) == (Status.PENDING, None, "the worker was lost")
    assert set(world.workers.orders[0].done) == {"evidence-1"} == set(job.images)


def test_a_job_ends_after_the_maximum_of_retries() -> None:
    world = a_world()
    for _ in range(TIMING.max_retries):
        world.until_due(world.jobs.get("case-1"))
        assert world.sweep().rearmed == ("case-1",)
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().ended == ("case-1",)
    job = world.jobs.get("case-1")
    assert (job.status, job.retry_count) == (Status.FAILED, TIMING.max_retries)
    assert {f.code for f in job.failures.values()} == {"retries_exhausted"}
    assert "after 3 retries" in (job.last_error or "")
    assert len(world.workers.orders) == TIMING.max_retries
    assert world.sweep().ended == ()


def test_a_job_past_its_deadline_ends_whatever_its_retries() -> None:
    world = a_world()
    world.clock.now = world.jobs.get("case-1").deadline_at
    assert world.sweep().ended == ("case-1",)
    assert {f.code for f in world.jobs.get("case-1").failures.values()} == {"deadline_exceeded"}


def test_a_refused_worker_is_tried_again_when_the_job_comes_due_again() -> None:
    world = a_world()
    world.workers.refusing = True
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().refused == ("case-1",)
    world.workers.refusing = False
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().rearmed == ("case-1",)
    assert [order.run for order in world.workers.orders] == [3]


def test_of_two_sweepers_one_arms_the_job() -> None:
    world = a_world()
    world.until_due(world.jobs.get("case-1"))
    world.jobs.lost_writes = 1
    report = world.sweep()
    assert (report.rearmed, world.workers.orders) == ((), [])


def test_one_job_in_trouble_does_not_stop_the_others() -> None:
    world = a_world("case-1", "case-2", "case-3")
    world.clock.now += TIMING.grace
    del world.jobs.cases["case-2", "job-1"]
    assert world.sweep().rearmed == ("case-1", "case-2", "case-3")
    assert [order.case.case_id for order in world.workers.orders] == ["case-1", "case-3"]


def test_a_sweep_does_no_more_than_its_limit_and_the_next_goes_on() -> None:
    world = a_world("case-1", "case-2", "case-3")
    world.limit = 2
    world.clock.now += TIMING.grace
    assert len(world.sweep().rearmed) == 2
    assert len(world.sweep().rearmed) == 1
    assert world.sweep().rearmed == ()
