"""Both workers on a virtual clock: the worker's own code, thousands of cases in the time of one."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field

from darkroom.domain.case import Case, ShotKind
from darkroom.domain.errors import Overloaded, Throttled
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.progress import Snapshot, SnapshotKind
from darkroom.domain.quota import Limits
from darkroom.domain.work import WorkOrder
from darkroom.ports import RawImage
from darkroom.usecases.admit import Source
from darkroom.usecases.develop_case import DevelopCase
from darkroom.usecases.hedge import Latencies
from darkroom.usecases.make_shot import MakeShot
from darkroom.usecases.race import RacePolicy
from darkroom.usecases.report_run import ReportPolicy

from bench import reference
from bench.figures import Figures
from bench.scenarios import MEDIAN_S, P95_S, Scenario, a_case, dice
from local.studio import Config
from tests.fakes import Ids, InstantDeveloper, MemoryImages, MemoryQuota, RecordedSnapshots
from tests.virtual_time import run

PRICE_MICRO_USD = 33_600
WEBHOOK_S = 0.05
START = 1_800_000_000_000


@dataclass
class VirtualStudio:
    """See ImageProvider: the studio's draws, faults and quota, without its pictures."""

    config: Config
    asked: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    starts: deque[float] = field(default_factory=deque)

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:  # noqa: ARG002
        """See ImageProvider."""
        self.asked[prompt] += 1
        chance = dice(self.config, prompt, self.asked[prompt])
        latency = self.config.latency(chance)
        fault = self.config.fault("", self.asked[prompt], chance)
        self._check_quota()
        if fault == "429":
            self.throttled += 1
            raise Throttled("429", retry_after=self.config.retry_delay)
        await asyncio.sleep(86_400 if fault == "hang" else latency)
        if fault == "503":
            raise Overloaded("503")
        return RawImage(data=b"", mime="image/jpeg", model="studio")

    def _check_quota(self) -> None:
        quota, now = self.config.quota_per_minute, asyncio.get_running_loop().time()
        while self.starts and self.starts[0] <= now - self.config.minute:
            self.starts.popleft()
        if quota is not None and len(self.starts) >= quota:
            self.throttled += 1
            raise Throttled("429", retry_after=self.starts[0] + self.config.minute - now)
        self.starts.append(now)


@dataclass
class TimedSnapshots(RecordedSnapshots):
    """See SnapshotChannel: remembers when each picture could be seen."""

    claimed: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)

    async def send(self, snapshot: Snapshot, url: str) -> None:
        """See SnapshotChannel."""
        await super().send(snapshot, url)
        now = asyncio.get_running_loop().time()
        if snapshot.kind is SnapshotKind.CLAIM:
            self.claimed = now
        for shot_id in snapshot.images:
            self.seen.setdefault(shot_id, now)


def compare(scenario: Scenario, seed: int) -> tuple[Figures, Figures]:
    """One case by the worker, and the same by the reference."""
    config, case = scenario.config(seed), a_case(seed)
    return run(_ours(scenario, config, case)), run(_reference(config, case))


async def _ours(scenario: Scenario, config: Config, case: Case) -> Figures:
    studio, channel, chance = (
        VirtualStudio(config),
        TimedSnapshots(seconds=WEBHOOK_S),
        random.Random(config.seed),
    )
    loop = asyncio.get_running_loop()
    policy = HedgePolicy(prior_median=MEDIAN_S, prior_p95=P95_S)
    source = Source(
        name="studio/virtual",
        provider=studio,
        limits=Limits(per_minute=scenario.quota_per_minute),
        price_micro_usd=PRICE_MICRO_USD,
        latencies=Latencies(policy=policy),
        day_until=lambda now: now + 86_400_000,
    )
    develop = DevelopCase(
        make_shot=MakeShot(
            developer=InstantDeveloper(), images=MemoryImages(), jitter=chance.random, policy=RacePolicy()
        ),
        sources=[source],
        quota=MemoryQuota(),
        channel=channel,
        clock=lambda: START + round(loop.time() * 1000),
        new_id=Ids(),
        jitter=chance.random,
        reports=ReportPolicy(),
        batch_sizes={ShotKind.EVIDENCE: 5, ShotKind.LOCATION: 4},
        concurrency=scenario.concurrency,
        reserve_s=15,
        hedge_share=policy.share,
    )
    order = WorkOrder(
        case=case,
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
    report = await develop(order, lambda: 300 - loop.time())
    for defect in report.ledger.defects:
        raise defect
    return Figures(
        seen=[at - channel.claimed for at in channel.seen.values()],
        ended=loop.time() - channel.claimed,
        requests=studio.asked.total(),
        throttled=studio.throttled,
        cost_micro_usd=report.ledger.cost_micro_usd,
        wasted_micro_usd=report.ledger.wasted_micro_usd,
    )


async def _reference(config: Config, case: Case) -> Figures:
    studio, loop = VirtualStudio(config), asyncio.get_running_loop()
    seen = await reference.run(
        case,
        make=lambda shot: studio.generate(shot.prompt, timeout_s=reference.TIMEOUT_S),
        report=lambda: asyncio.sleep(WEBHOOK_S),
    )
    return Figures(seen=seen, ended=loop.time(), requests=studio.asked.total(), throttled=studio.throttled)
