"""Run the worker's own code with its surroundings in memory."""

import asyncio
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.case import Case, prompt_digest
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.run import WorkOrder
from darkroom.domain.run_policy import AttemptPolicy, ReportPolicy, RunPolicy
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.ports import Clock, ImageProcessor, ImageProvider, Jitter
from darkroom.worker.image_model import ImageModel, Latencies
from darkroom.worker.run_job import RunJob

from bench.speed.figures import Figures
from testing.fakes.images import MemoryImages
from testing.fakes.quota import MemoryQuota
from testing.fakes.snapshots import RecordedSnapshots
from testing.fakes.time_and_ids import Ids

START = 1_800_000_000_000
PRICE_MICRO_USD = 33_600
WEBHOOK_S = 0.05
"""Seconds until a snapshot is acknowledged; the baseline's reports take the same time."""


@dataclass
class TimedSnapshots(RecordedSnapshots):
    """A SnapshotChannel that records when each picture was reported."""

    claimed: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)

    @override
    async def send(self, snapshot: Snapshot, url: str) -> None:
        await super().send(snapshot, url)
        now = asyncio.get_running_loop().time()
        if snapshot.kind is SnapshotKind.CLAIM:
            self.claimed = now
        for shot_id in snapshot.images:
            self.seen.setdefault(shot_id, now)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """The worker's configuration for a scenario."""

    concurrency: int
    limits: Limits
    hedging: HedgePolicy
    hedge_share: float = 0.5
    attempts: AttemptPolicy = field(default_factory=AttemptPolicy)
    reports: ReportPolicy = field(default_factory=ReportPolicy)
    webhook_s: float = WEBHOOK_S


async def run_worker(
    case: Case,
    setup: Setup,
    *,
    provider: ImageProvider,
    processor: ImageProcessor,
    clock: Clock,
    jitter: Jitter,
) -> Figures:
    """Return the figures of one case by a new worker; raise the first defect of the run."""
    loop, channel = asyncio.get_running_loop(), TimedSnapshots(seconds=setup.webhook_s)
    image_model = ImageModel(
        name="provider/bench",
        provider=provider,
        limits=setup.limits,
        price_micro_usd=PRICE_MICRO_USD,
        latencies=Latencies(policy=setup.hedging),
        day_until=lambda now: now + 86_400_000,
    )
    run = RunJob(
        policy=RunPolicy(
            concurrency=setup.concurrency,
            hedge_share=setup.hedge_share,
            attempts=setup.attempts,
            reports=setup.reports,
        ),
        processor=processor,
        images=MemoryImages(),
        image_models=[image_model],
        quota_store=MemoryQuota(),
        channel=channel,
        clock=clock,
        new_id=Ids(),
        jitter=jitter,
    )
    order = WorkOrder(
        case=case,
        digests={shot.id: prompt_digest(shot.prompt, salt="salt") for shot in case.shots},
        job_id="job-1",
        run=1,
        hop=0,
        claim_before=START + 90_000,
        deadline_at=START + 86_400_000,
        spent_micro_usd=0,
        wasted_micro_usd=0,
        done={},
        failed={},
        webhook_url="",
    )
    began = loop.time()
    report = await run(order, lambda: began + 300 - loop.time())
    for defect in report.defects:
        raise defect
    return Figures(
        seen=[at - channel.claimed for at in channel.seen.values()],
        ended=loop.time() - channel.claimed,
        cost=report.cost_micro_usd,
        wasted=report.wasted_micro_usd,
    )
