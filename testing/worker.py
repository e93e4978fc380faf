"""A worker with everything around it, in virtual time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from darkroom.domain.case import Case
from darkroom.domain.quota import Limits
from darkroom.domain.run import RunReport, WorkOrder, work_order
from darkroom.domain.run_policy import RunPolicy
from darkroom.domain.snapshot import Snapshot
from darkroom.ports import Clock
from darkroom.worker.run_job import RunJob

from testing.builders import NOW, a_case, a_job, an_image_model
from testing.fakes.images import InstantProcessor, MemoryImages, ScriptedProvider
from testing.fakes.quota import MemoryQuota
from testing.fakes.snapshots import RecordedSnapshots
from testing.fakes.time_and_ids import Ids, LoopClock
from testing.virtual_time import run


@dataclass
class WorkerWorld:
    """A worker and everything around it."""

    provider: ScriptedProvider = field(default_factory=ScriptedProvider)
    channel: RecordedSnapshots = field(default_factory=RecordedSnapshots)
    images: MemoryImages = field(default_factory=MemoryImages)
    clock: Clock = field(default_factory=lambda: LoopClock(NOW))
    quota: MemoryQuota = field(default_factory=MemoryQuota)
    limits: Limits = field(default_factory=Limits)
    hedge_share: float = 0.5
    strict_batches: bool = False
    daily_budget: int | None = None
    concurrency: int = 14
    time_s: float = 300.0
    request_id: str | None = None
    seconds: float = 0.0
    picture_times: list[float] = field(default_factory=list)

    def run_job(self, order: WorkOrder) -> RunReport:
        async def timed() -> RunReport:
            loop = asyncio.get_running_loop()
            report = await self._worker()(order, lambda: self.time_s - loop.time(), self.request_id)
            self.seconds = loop.time()
            return report

        return run(timed())

    def _worker(self) -> RunJob:
        return RunJob(
            policy=RunPolicy(
                concurrency=self.concurrency,
                hedge_share=self.hedge_share,
                strict_batches=self.strict_batches,
                daily_budget_micro_usd=self.daily_budget,
            ),
            processor=InstantProcessor(processed_at=self.picture_times),
            images=self.images,
            image_models=[an_image_model(self.provider, limits=self.limits)],
            quota_store=self.quota,
            channel=self.channel,
            clock=self.clock,
            new_id=Ids("claim"),
            jitter=lambda: 0.5,
        )

    @property
    def last(self) -> Snapshot:
        return self.channel.arrived[-1]


def an_order(case: Case | None = None, done: dict[str, str] | None = None) -> WorkOrder:
    case = case or a_case()
    order = work_order(a_job(case), case, webhook_url="https://api.example/hook")
    return replace(order, done=done or {})


def refusing(error: Exception, when: Callable[[Snapshot], bool]) -> Callable[[Snapshot], None]:
    def respond(snapshot: Snapshot) -> None:
        if when(snapshot):
            raise error

    return respond
