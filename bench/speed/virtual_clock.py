"""Run the worker and the baseline on a virtual clock: thousands of cases in the time of one."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import override

from darkroom.domain.case import Case
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.shot_errors import Overloaded, Throttled
from darkroom.ports import ImageProvider, RawImage

from bench.speed import baseline
from bench.speed.figures import Figures
from bench.speed.scenarios import MEDIAN_S, P95_S, Scenario, a_case, dice
from bench.speed.worker import START, WEBHOOK_S, Setup, run_worker
from local.fake_gemini import Config
from testing.fakes.images import InstantProcessor
from testing.virtual_time import run


@dataclass
class VirtualProvider(ImageProvider):
    """An ImageProvider in virtual time: the latencies, faults and quota of the fake Gemini, no pictures."""

    config: Config
    requests: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    starts: deque[float] = field(default_factory=deque)

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        self.requests[prompt] += 1
        chance = dice(self.config, prompt, self.requests[prompt])
        latency = self.config.latency(chance)
        fault = self.config.fault("", self.requests[prompt], chance)
        self._check_quota()
        if fault == "429":
            self.throttled += 1
            raise Throttled("429", retry_after=self.config.retry_delay)
        await asyncio.sleep(86_400 if fault == "hang" else latency)
        if fault == "503":
            raise Overloaded("503")
        return RawImage(data=b"", model="bench")

    def _check_quota(self) -> None:
        quota, now = self.config.quota_per_minute, asyncio.get_running_loop().time()
        while self.starts and self.starts[0] <= now - self.config.minute:
            self.starts.popleft()
        if quota is not None and len(self.starts) >= quota:
            self.throttled += 1
            raise Throttled("429", retry_after=self.starts[0] + self.config.minute - now)
        self.starts.append(now)


def compare(scenario: Scenario, seed: int) -> tuple[Figures, Figures]:
    """Return the figures of one case by the worker, and of the same case by the baseline."""
    config, case = scenario.config(seed), a_case(seed)
    return run(ours(scenario, config, case)), run(_baseline(config, case))


async def ours(scenario: Scenario, config: Config, case: Case) -> Figures:
    """Return the worker's figures of one case; call it in virtual time."""
    provider, loop = VirtualProvider(config), asyncio.get_running_loop()
    figures = await run_worker(
        case,
        Setup(
            concurrency=scenario.concurrency,
            limits=Limits(per_minute=scenario.quota_per_minute),
            hedging=HedgePolicy(prior_median=MEDIAN_S, prior_p95=P95_S),
        ),
        provider=provider,
        processor=InstantProcessor(),
        clock=lambda: START + round(loop.time() * 1000),
        jitter=random.Random(config.seed).random,
    )
    return replace(figures, requests=provider.requests.total(), throttled=provider.throttled)


async def _baseline(config: Config, case: Case) -> Figures:
    provider, loop = VirtualProvider(config), asyncio.get_running_loop()
    seen = await baseline.run(
        case,
        make=lambda shot: provider.generate(shot.prompt, timeout_s=baseline.TIMEOUT_S),
        report=lambda: asyncio.sleep(WEBHOOK_S),
    )
    return Figures(
        seen=seen, ended=loop.time(), requests=provider.requests.total(), throttled=provider.throttled
    )
