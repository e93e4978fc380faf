"""Lambda's side of the workers: events and records of failed invocations, lost, late, repeated and of others.

An event may be delivered twice, with one request id or with two. A record may be of the other delivery of an
event whose first delivery owns the run.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, override

from darkroom.domain.errors import Contention, InvokeRefused
from darkroom.domain.losses import LossReason
from darkroom.domain.recovery import RAN, FailedInvocation, SecondLook
from darkroom.domain.run import WorkOrder
from darkroom.ports import RecoveryQueue, WorkerInvoker
from darkroom.usecases.recover_job import RecoverJob

if TYPE_CHECKING:
    from tests.simulation.world import Process, World

DROPPED = "EventAgeExceeded"
RECEIVES = 4
"""Receives of a message before it goes to the dead-letter queue."""
VISIBILITY_S = 60


@dataclass
class SimWorkers(WorkerInvoker):
    """Lambda's asynchronous queue: at least once, sometimes late, sometimes twice, sometimes never."""

    world: "World"

    @override
    def invoke(self, order: WorkOrder) -> None:
        world = self.world
        with world.effect(f"workers.invoke run {order.run}"):
            if world.chance(0.05):
                raise InvokeRefused("TooManyRequestsException")
            request_id = world.new_id()
            if world.chance(0.05):
                if world.chance(0.5):
                    self._report(order, request_id, condition=DROPPED, after_s=world.dice.uniform(60, 70))
                return
            self._deliver(order, request_id)
            if world.chance(0.1):
                self._deliver_again(order, request_id if world.dice.random() < 0.5 else world.new_id())

    def _deliver(self, order: WorkOrder, request_id: str) -> None:
        world = self.world
        late = world.dice.uniform(0, 200) if world.chance(0.1) else world.dice.uniform(0, 1)
        asyncio.get_running_loop().call_later(late, world.spawn, order, request_id)

    def _deliver_again(self, order: WorkOrder, request_id: str) -> None:
        """Deliver the event once more; sometimes that invocation fails at once."""
        if self.world.chance(0.3):
            self._report(order, request_id, condition=RAN, after_s=self.world.dice.uniform(0.5, 60))
        else:
            self._deliver(order, request_id)

    def _report(self, order: WorkOrder, request_id: str, *, condition: str, after_s: float) -> None:
        record = failed(order, request_id, condition=condition, reason=LossReason.CRASH)
        asyncio.get_running_loop().call_later(after_s, report, self.world, record)


def failed(
    order: WorkOrder, request_id: str | None, *, condition: str = RAN, reason: LossReason
) -> FailedInvocation:
    """Return Lambda's record of an invocation with `order` that failed."""
    return FailedInvocation(
        case_id=order.case.case_id,
        job_id=order.job_id,
        run=order.run,
        request_id=request_id,
        condition=condition,
        reason=reason,
    )


def report_death(world: "World", process: "Process") -> None:
    """Let Lambda report that the invocation of `process` failed."""
    if world.chance(0.15):
        return
    # The emulator sends no request id.
    request_id = None if world.dice.random() < 0.2 else process.request_id
    record = failed(process.order, request_id, reason=process.reason)
    loop = asyncio.get_running_loop()
    for _ in range(2 if world.chance(0.1) else 1):
        late = world.dice.uniform(0, 400) if world.chance(0.1) else world.dice.uniform(0.5, 5)
        loop.call_later(late, report, world, record)


def report_other_delivery(world: "World", process: "Process", *, at: float) -> None:
    """Report that another delivery of the event of `process` failed, while the process itself lives."""
    reason = world.dice.choice([LossReason.CRASH, LossReason.TIMEOUT])
    record = failed(process.order, process.request_id, reason=reason)
    loop = asyncio.get_running_loop()
    loop.call_at(max(at, loop.time()), report, world, record)


def report(world: "World", record: FailedInvocation) -> None:
    """Deliver a record to the recovery function."""
    receive(world, record, receives=1)


def receive(world: "World", message: FailedInvocation | SecondLook, *, receives: int) -> None:
    """Hand a message to the recovery; it comes back while the recovery fails."""
    use_case = RecoverJob(
        jobs=world.jobs,
        images=world.images,
        start=world.start(),
        queue=SimQueue(world),
        clock=world.clock(),
        jitter=world.dice.random,
        timing=world.timing,
        webhook_url=world.webhook_url,
    )
    if isinstance(message, SecondLook):
        look = message
        is_done = world.attempt("second look", lambda: use_case.look_again(look))
    else:
        record = message
        is_done = world.attempt("record", lambda: use_case.after_failure(record))
    if not is_done and receives < RECEIVES:
        asyncio.get_running_loop().call_later(
            VISIBILITY_S, lambda: receive(world, message, receives=receives + 1)
        )


@dataclass
class SimQueue(RecoveryQueue):
    """The queue of the recovery function."""

    world: "World"

    @override
    def send(self, look: SecondLook, *, delay_s: int) -> None:
        world = self.world
        with world.effect(f"queue.send in {delay_s} s"):
            if world.chance(0.02):
                raise Contention("the queue cannot be reached")
            loop = asyncio.get_running_loop()
            for _ in range(0 if world.chance(0.05) else 2 if world.chance(0.05) else 1):
                late = world.dice.uniform(0, 60) if world.chance(0.1) else world.dice.uniform(0, 1)
                loop.call_later(delay_s + late, lambda: receive(world, look, receives=1))
