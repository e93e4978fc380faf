"""The recovery of one job, message by message."""

from dataclasses import dataclass, field, replace

import pytest
from darkroom.domain.errors import Contention
from darkroom.domain.job import Job, Status
from darkroom.domain.losses import LossReason
from darkroom.domain.recovery import FailedInvocation, SecondLook
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.usecases.recover_job import Outcome, RecoverJob
from darkroom.usecases.start_worker import StartWorker

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot, keys_of
from testing.fakes.images import MemoryImages
from testing.fakes.jobs import MemoryJobs, RecordedWorkers
from testing.fakes.recovery import RecordedLooks
from testing.fakes.time_and_ids import ManualClock

CASE = a_case(evidence=2, locations=1)
RECORD = FailedInvocation(
    case_id="case-1",
    job_id="job-1",
    run=1,
    request_id="request-1",
    condition="RetriesExhausted",
    reason=LossReason.CRASH,
)


@dataclass
class World:
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    workers: RecordedWorkers = field(default_factory=RecordedWorkers)
    images: MemoryImages = field(default_factory=MemoryImages)
    queue: RecordedLooks = field(default_factory=RecordedLooks)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    @property
    def recover(self) -> RecoverJob:
        return RecoverJob(
            jobs=self.jobs,
            images=self.images,
            start=StartWorker(jobs=self.jobs, workers=self.workers),
            queue=self.queue,
            clock=self.clock,
            jitter=lambda: 0.0,
            timing=TIMING,
            webhook_url="https://api.example/hook",
        )

    @property
    def job(self) -> Job:
        return self.jobs.get("case-1")

    def receive(self, kind: SnapshotKind, sequence: int) -> None:
        snapshot = replace(a_snapshot(CASE, kind, sequence), request_id="request-1", sent_at=self.clock.now)
        self.jobs.save(apply(self.job, snapshot, now=self.clock.now, timing=TIMING))

    def second_look(self) -> SecondLook:
        look, delay_s = self.queue.sent.pop(0)
        self.clock.now += delay_s * 1000
        return look


def a_world(*, claimed: bool = True) -> World:
    world = World()
    world.jobs.create(a_job(CASE), CASE)
    if claimed:
        world.receive(SnapshotKind.CLAIM, 1)
    return world


def test_a_silent_worker_is_replaced_27_seconds_after_its_record() -> None:
    world = a_world()
    assert world.recover.after_failure(RECORD) is Outcome.SUSPECTED
    [(look, delay_s)] = world.queue.sent
    assert (look.claim, look.run, delay_s) == ("claim-1", 1, 27)
    world.images.stored_pictures = dict.fromkeys(keys_of(CASE, "evidence-1").values(), b"")
    assert world.recover.look_again(world.second_look()) is Outcome.RESTARTED
    [order] = world.workers.orders
    assert (order.run, set(order.done)) == (2, {"evidence-1"})
    assert [entry.action for entry in world.job.history] == ["suspected", "recovered"]
    assert {entry.by for entry in world.job.history} == {"recovery"}


def test_a_worker_that_has_sent_a_snapshot_keeps_its_run() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    world.clock.now += 9_000
    world.receive(SnapshotKind.HEARTBEAT, 2)
    before = world.job
    assert world.recover.look_again(world.second_look()) is Outcome.DROPPED
    assert world.job is before
    assert world.workers.orders == []


def test_a_record_that_comes_again_sends_the_second_look_again_and_changes_nothing() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    before = world.job
    world.clock.now += 10_000
    assert world.recover.after_failure(RECORD) is Outcome.SUSPECTED
    assert world.job is before
    assert [delay for _, delay in world.queue.sent] == [27, 17]


def test_a_second_look_that_comes_too_early_is_sent_again_for_the_rest() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    look, _ = world.queue.sent.pop()
    world.clock.now += 20_000
    assert world.recover.look_again(look) is Outcome.SUSPECTED
    assert world.queue.sent == [(look, 7)]
    assert world.workers.orders == []


def test_a_second_look_that_comes_twice_starts_one_worker() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    look = world.second_look()
    assert world.recover.look_again(look) is Outcome.RESTARTED
    assert world.recover.look_again(look) is Outcome.DROPPED
    assert len(world.workers.orders) == 1


def test_a_second_look_at_another_worker_changes_nothing() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    look = replace(world.second_look(), claim="claim-2")
    assert world.recover.look_again(look) is Outcome.DROPPED
    assert world.job.run == 1


def test_a_second_look_after_the_lease_leaves_the_job_to_the_sweeper() -> None:
    world = a_world()
    world.recover.after_failure(RECORD)
    look = world.second_look()
    assert world.job.lease_until is not None
    world.clock.now = world.job.lease_until
    before = world.job
    assert world.recover.look_again(look) is Outcome.DROPPED
    assert (world.job, world.queue.sent) == (before, [])


def test_a_queue_that_is_down_brings_the_record_back() -> None:
    world = a_world()
    world.queue.is_down = True
    with pytest.raises(Contention):
        world.recover.after_failure(RECORD)
    world.queue.is_down = False
    assert world.recover.after_failure(RECORD) is Outcome.SUSPECTED
    assert len(world.queue.sent) == 1


def test_a_run_that_nobody_claimed_is_restarted_once_and_then_postponed() -> None:
    world = a_world(claimed=False)
    dropped = replace(RECORD, condition="EventAgeExceeded")
    assert world.recover.after_failure(dropped) is Outcome.RESTARTED
    assert world.recover.after_failure(dropped) is Outcome.DROPPED, "the record is of an old run now"
    assert world.recover.after_failure(replace(dropped, run=2)) is Outcome.POSTPONED
    assert [order.run for order in world.workers.orders] == [2]


def test_a_restart_whose_worker_cannot_be_started_is_left_to_the_sweeper() -> None:
    world = a_world(claimed=False)
    world.workers.refusing = True
    assert world.recover.after_failure(RECORD) is Outcome.RESTARTED
    assert (world.job.run, world.job.status) == (2, Status.PENDING)


def test_messages_of_jobs_that_are_gone_are_dropped() -> None:
    world = World()
    look = SecondLook(case_id="case-1", job_id="job-1", run=1, claim="claim-1")
    assert world.recover.after_failure(RECORD) is Outcome.DROPPED
    assert world.recover.look_again(look) is Outcome.DROPPED


def test_a_lost_write_is_decided_again() -> None:
    world = a_world()
    world.jobs.lost_writes = 2
    assert world.recover.after_failure(RECORD) is Outcome.SUSPECTED
