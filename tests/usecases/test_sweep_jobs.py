"""The sweep of jobs that nothing else will change."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier
from typing import override

import pytest
from darkroom.domain.caller_actions import cancel
from darkroom.domain.errors import Busy
from darkroom.domain.job import Job, Status
from darkroom.domain.losses import Ghosts, LossReason, Suspicion
from darkroom.domain.shot_errors import StorageFailed
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.sweep_jobs import SweepJobs

from testing.builders import NOW, PRICE, TIMING, a_case, a_job, a_snapshot, keys_of
from testing.fakes.images import MemoryImages
from testing.fakes.jobs import MemoryJobs, RecordedWorkers
from testing.fakes.time_and_ids import ManualClock

CASE = a_case(evidence=2, locations=1)


@dataclass
class World:
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    workers: RecordedWorkers = field(default_factory=RecordedWorkers)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    images: MemoryImages = field(default_factory=MemoryImages)
    limit: int = 10

    @property
    def sweep(self) -> SweepJobs:
        return SweepJobs(
            jobs=self.jobs,
            images=self.images,
            jitter=lambda: 0.0,
            start=StartWorker(jobs=self.jobs, workers=self.workers),
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
    assert world.sweep().rescheduled == []
    assert world.workers.orders == []


def test_a_stale_pending_job_is_rescheduled_and_gets_a_worker() -> None:
    world = a_world()
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().rescheduled == ["case-1"]
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


def claimed(world: World, *done: str) -> None:
    """Let a worker claim the current run, report `done` and die."""
    job = world.jobs.get("case-1")
    for snapshot in (
        a_snapshot(CASE, SnapshotKind.CLAIM, 1, run=job.run),
        a_snapshot(CASE, SnapshotKind.PROGRESS, 2, run=job.run, done=done),
    ):
        job = world.jobs.get("case-1")
        after = apply(job, snapshot, now=world.clock.now, timing=TIMING)
        if after is not job:
            world.jobs.save(after)


def test_a_job_ends_when_more_of_its_runs_were_lost_than_allowed() -> None:
    world = a_world()
    for _ in range(TIMING.max_lost_runs):
        claimed(world)
        world.until_due(world.jobs.get("case-1"))
        assert world.sweep().rescheduled == ["case-1"]
    claimed(world)
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().ended == ["case-1"]
    job = world.jobs.get("case-1")
    assert (job.status, job.lost_runs, job.due_at) == (Status.FAILED, TIMING.max_lost_runs + 1, None)
    assert {f.code for f in job.failures.values()} == {"retries_exhausted"}
    assert job.last_error == "the worker was lost, 4 times"
    assert len(world.workers.orders) == TIMING.max_lost_runs


def test_runs_that_nobody_claimed_are_not_lost_and_end_only_at_the_deadline() -> None:
    world = a_world()
    job = world.jobs.get("case-1")
    while job.is_open:
        world.until_due(job)
        world.sweep()
        job = world.jobs.get("case-1")
    assert job.lost_runs == 0
    assert job.retry_count > 50
    assert {f.code for f in job.failures.values()} == {"deadline_exceeded"}
    assert world.clock.now >= job.deadline_at


def test_stored_pictures_are_adopted_before_a_job_is_rescheduled() -> None:
    world = a_world()
    claimed(world)
    keys = keys_of(CASE, "evidence-1")
    world.images.stored_pictures = dict.fromkeys(keys.values(), b"jpeg")
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    assert world.jobs.get("case-1").images == keys
    assert world.workers.orders[0].done == keys


def test_an_adopted_picture_is_counted_with_its_price() -> None:
    world = a_world()
    claimed(world, "evidence-1")
    for key in keys_of(CASE, "evidence-1", "evidence-2").values():
        world.images.stored_pictures[key] = b"jpeg"
    before = world.jobs.get("case-1").cost_micro_usd
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    job = world.jobs.get("case-1")
    assert (set(job.images), job.cost_micro_usd - before) == ({"evidence-1", "evidence-2"}, PRICE)


def test_a_sweep_adopts_the_pictures_of_a_cancelled_job_whose_worker_died() -> None:
    world = a_world()
    claimed(world)
    cancelled = cancel(world.jobs.get("case-1"), now=world.clock.now)
    world.jobs.save(cancelled)
    [key] = keys_of(CASE, "location-1").values()
    world.images.stored_pictures[key] = b"jpeg"
    assert world.sweep().ended == []
    world.until_due(cancelled)
    assert (world.sweep().ended, world.workers.orders) == (["case-1"], [])
    job = world.jobs.get("case-1")
    assert (job.status, job.images, job.cost_micro_usd) == (Status.CANCELLED, {"location-1": key}, PRICE)
    assert (job.lease_until, job.due_at, world.sweep().ended) == (None, None, [])


def test_a_job_whose_pictures_are_all_in_storage_is_completed_without_another_run() -> None:
    world = a_world()
    claimed(world, "evidence-1")
    keys = keys_of(CASE, *(shot.id for shot in CASE.shots))
    world.images.stored_pictures = dict.fromkeys(keys.values(), b"jpeg")
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().ended == ["case-1"]
    job = world.jobs.get("case-1")
    assert (job.status, job.images, world.workers.orders) == (Status.COMPLETED, keys, [])
    assert job.lease_until is None


def test_a_recorded_picture_wins_over_a_stored_one_and_then_the_lowest_run() -> None:
    world = a_world()
    claimed(world, "evidence-1")
    twelve, two = (keys_of(CASE, "evidence-1", "evidence-2", run=run) for run in (12, 2))
    world.images.stored_pictures = dict.fromkeys([*twelve.values(), *two.values()], b"jpeg")
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    images = world.jobs.get("case-1").images
    assert images == keys_of(CASE, "evidence-1") | {"evidence-2": two["evidence-2"]}


def test_a_picture_of_another_job_or_prompt_is_not_adopted() -> None:
    world = a_world()
    claimed(world)
    other_job = keys_of(CASE, "evidence-1", job_id="job-0")["evidence-1"]
    other_prompt = "cases/case-1/job-1/evidence-1/0123456789abcdef-1.jpg"
    world.images.stored_pictures = {other_job: b"jpeg", other_prompt: b"jpeg"}
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    assert world.jobs.get("case-1").images == {}


def test_a_stuck_job_is_counted() -> None:
    world = a_world()
    claimed(world)
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().stuck == []
    claimed(world)
    world.clock.now += 600_001
    assert world.sweep().stuck == ["case-1"]


def test_storage_that_cannot_be_read_leaves_the_job_for_the_next_sweep() -> None:
    world = a_world()
    world.images.error = StorageFailed("no")
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().failed == {"case-1": "StorageFailed"}
    world.images.error = None
    assert world.sweep().rescheduled == ["case-1"]


def test_a_job_past_its_deadline_ends_whatever_its_retries() -> None:
    world = a_world()
    world.clock.now = world.jobs.get("case-1").deadline_at
    assert world.sweep().ended == ["case-1"]
    assert {f.code for f in world.jobs.get("case-1").failures.values()} == {"deadline_exceeded"}


def test_a_job_whose_worker_was_refused_is_swept_again_when_due() -> None:
    world = a_world()
    world.workers.refusing = True
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().refused == ["case-1"]
    world.workers.refusing = False
    world.until_due(world.jobs.get("case-1"))
    assert world.sweep().rescheduled == ["case-1"]
    assert [order.run for order in world.workers.orders] == [3]


def test_of_two_sweepers_one_reschedules_the_job() -> None:
    world = a_world()
    world.until_due(world.jobs.get("case-1"))
    world.jobs.lost_writes = 1
    report = world.sweep()
    assert (report.rescheduled, world.workers.orders) == ([], [])


def test_a_job_that_cannot_be_swept_does_not_stop_the_others() -> None:
    world = a_world("case-1", "case-2", "case-3")
    world.clock.now += TIMING.grace
    del world.jobs.cases["case-2", "job-1", 0]
    assert world.sweep().rescheduled == ["case-1", "case-2", "case-3"]
    assert [order.case.case_id for order in world.workers.orders] == ["case-1", "case-3"]


def test_a_sweep_does_no_more_than_its_limit_and_the_next_goes_on() -> None:
    world = a_world("case-1", "case-2", "case-3")
    world.limit = 2
    world.clock.now += TIMING.grace
    assert len(world.sweep().rescheduled) == 2
    assert len(world.sweep().rescheduled) == 1
    assert world.sweep().rescheduled == []


def test_a_picture_in_storage_wins_over_a_failure_that_was_reported() -> None:
    world = a_world()
    failed = a_snapshot(CASE, SnapshotKind.PROGRESS, 2, failed=("evidence-1", "evidence-2"))
    for snapshot in (a_snapshot(CASE, SnapshotKind.CLAIM, 1), failed):
        world.jobs.save(apply(world.jobs.get("case-1"), snapshot, now=NOW, timing=TIMING))
    keys = keys_of(CASE, "evidence-1")
    world.images.stored_pictures = dict.fromkeys(keys.values(), b"jpeg")
    world.until_due(world.jobs.get("case-1"))
    world.sweep()
    job = world.jobs.get("case-1")
    assert (set(job.images), set(job.failures)) == ({"evidence-1"}, {"evidence-2"})
    assert set(world.workers.orders[0].failed) == {"evidence-2"}


@pytest.mark.parametrize("error", [KeyError("shots"), Busy("the table is busy")])
def test_a_job_that_cannot_be_read_does_not_keep_the_others_from_a_sweep(error: Exception) -> None:
    class OneBroken(MemoryJobs):
        @override
        def get(self, case_id: str) -> Job:
            if case_id == "case-1":
                raise error
            return super().get(case_id)

    world = a_world("case-1", "case-2")
    broken = OneBroken()
    broken.jobs, broken.cases = world.jobs.jobs, world.jobs.cases
    world.jobs = broken
    world.clock.now += TIMING.grace
    report = world.sweep()
    assert (report.failed, report.rescheduled) == ({"case-1": type(error).__name__}, ["case-2"])


def test_jobs_without_time_left_are_left_to_the_next_sweep() -> None:
    world = a_world("case-1", "case-2", "case-3")
    world.until_due(world.jobs.get("case-1"))
    left = iter([2.0, 1.0, 0.0])
    report = world.sweep(lambda: next(left))
    assert (report.rescheduled, report.left) == (["case-1", "case-2"], ["case-3"])
    assert world.sweep().rescheduled == ["case-3"]


def test_several_jobs_are_swept_at_once() -> None:
    world = a_world(*(f"case-{n}" for n in range(8)))
    world.until_due(world.jobs.get("case-0"))
    together = Barrier(4)

    def wait_for_the_others() -> float:
        together.wait(timeout=10)
        return 1.0

    with ThreadPoolExecutor(4) as threads:
        report = replace(world.sweep, each=threads.map)(wait_for_the_others)
    assert sorted(report.rescheduled) == sorted(world.jobs.jobs)


def with_ghost(job: Job, **changes: object) -> Job:
    """Return the next version of `job`, whose first run was taken over and whose ghost is dead now."""
    return replace(job, version=job.version + 1, run=2, ghosts=Ghosts(until=NOW), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {
            "status": Status.GENERATING,
            "claim": "claim-2",
            "lease_until": NOW + 60_000,
            "due_at": NOW + 60_000,
        },
        {"status": Status.PENDING, "due_at": NOW + 60_000, "waiting_until": NOW + 120_000},
    ],
    ids=["working", "waiting"],
)
def test_a_look_at_ghosts_starts_no_worker(changes: dict[str, object]) -> None:
    world = a_world()
    world.jobs.save(with_ghost(world.jobs.get("case-1"), **changes))
    report = world.sweep()
    assert (report.rescheduled, report.ended) == ([], [])
    job = world.jobs.get("case-1")
    assert (job.ghosts.until, job.run, job.due_at) == (None, 2, NOW + 60_000)
    assert world.workers.orders == []


def test_a_look_at_the_ghosts_of_a_job_that_has_ended_ends_nothing() -> None:
    world = a_world()
    ended = {"status": Status.FAILED, "due_at": None, "completed_at": NOW}
    world.jobs.save(with_ghost(world.jobs.get("case-1"), **ended))
    report = world.sweep()
    assert (list(report.jobs), report.rescheduled, report.ended) == (["case-1"], [], [])


def test_a_suspected_worker_whose_loss_would_end_the_job_gets_no_other_beside_it() -> None:
    world = a_world()
    job = apply(world.jobs.get("case-1"), a_snapshot(CASE, SnapshotKind.CLAIM, 1), now=NOW, timing=TIMING)
    suspicion = Suspicion(at=NOW, reason=LossReason.CRASH)
    job = replace(job, suspicion=suspicion, lost_runs=TIMING.max_lost_runs, due_at=NOW)
    world.jobs.save(job)
    assert world.sweep().rescheduled == []
    assert (world.jobs.get("case-1").due_at, world.workers.orders) == (job.lease_until, [])
