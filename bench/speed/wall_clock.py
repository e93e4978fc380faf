"""Run the worker and the baseline on the wall clock, twenty times as fast, with real adapters over HTTP."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import httpx
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from darkroom.adapters.providers.gemini import Gemini
from darkroom.domain.case import Case, Shot
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.run_policy import AttemptPolicy, ReportPolicy

from bench.speed import baseline
from bench.speed.figures import Figures
from bench.speed.scenarios import MEDIAN_S, P95_S, Scenario, a_case
from bench.speed.worker import START, WEBHOOK_S, Setup, run_worker
from local.fake_gemini import Config

SCALE = 1 / 20
SLACK_MS = 150
"""Slack of the quota in ms. It is not scaled like other times: the machine does not become faster."""


class Bench:
    """Both algorithms with their provider; a `scale` below 1 shortens all times."""

    def __init__(self, url: str, client: httpx.AsyncClient, scale: float = SCALE) -> None:
        self._url = url
        self._client = client
        self._scale = scale
        self._gemini = Gemini(client, base_url=url, model="bench", thinking="", key=lambda: "key")
        self._processor = PillowProcessor(size=512, quality=80)

    async def warm(self) -> None:
        """Let the provider draw all pictures, and open all connections."""
        await self._measured(Config(latency_median=0), self._baseline(a_case(0)))

    async def ours(self, scenario: Scenario, seed: int, hedge_share: float = 0.5) -> Figures:
        """Return the figures of a case by the worker."""
        config = scenario.config(seed, self._scale)
        return await self._measured(config, self._ours(scenario, a_case(seed), seed, hedge_share))

    async def baseline(self, scenario: Scenario, seed: int) -> Figures:
        """Return the figures of the same case by the baseline."""
        return await self._measured(scenario.config(seed, self._scale), self._baseline(a_case(seed)))

    async def _ours(self, scenario: Scenario, case: Case, seed: int, hedge_share: float) -> Figures:
        scale, began = self._scale, time.monotonic()
        setup = Setup(
            concurrency=scenario.concurrency,
            limits=Limits(
                per_minute=scenario.quota_per_minute,
                window=round(60_000 * scale),
                slack=SLACK_MS,
                tick=round(1_000 * scale),
            ),
            hedging=HedgePolicy(prior_median=MEDIAN_S * scale, prior_p95=P95_S * scale),
            hedge_share=hedge_share,
            attempts=AttemptPolicy(
                request_timeout=60 * scale,
                shot_timeout=120 * scale,
                hedge_again=scale,
                base=0.5 * scale,
                cap=20 * scale,
            ),
            reports=ReportPolicy(interval_s=2 * scale, heartbeat_s=10 * scale),
            webhook_s=WEBHOOK_S * scale,
        )
        return await run_worker(
            case,
            setup,
            provider=self._gemini,
            processor=self._processor,
            clock=lambda: START + round((time.monotonic() - began) * 1000),
            jitter=random.Random(seed).random,
        )

    async def _baseline(self, case: Case) -> Figures:
        began = asyncio.get_running_loop().time()

        async def make(shot: Shot) -> None:
            raw = await self._gemini.generate(shot.prompt, timeout_s=baseline.TIMEOUT_S)
            await self._processor.process(raw, {})

        seen = await baseline.run(
            case,
            make=make,
            report=lambda: asyncio.sleep(WEBHOOK_S * self._scale),
            timeout_s=baseline.TIMEOUT_S * self._scale,
        )
        ended = asyncio.get_running_loop().time() - began
        return Figures(seen=[at - began for at in seen], ended=ended)

    async def _measured(self, config: Config, case: Awaitable[Figures]) -> Figures:
        before = await self._call("PUT", "/_config", json=asdict(config))
        spent = time.process_time()
        figures = await case
        spent = time.process_time() - spent
        after = await self._call("GET", "/_stats")
        return replace(
            figures,
            requests=after["requests"],
            throttled=after["outcomes"].get("429", 0) - before["outcomes"].get("429", 0),
            cpu=spent,
        )

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = await self._client.request(method, self._url + path, **options)
        body: dict[str, Any] = response.raise_for_status().json()
        return body


@contextmanager
def fake_provider() -> Iterator[str]:
    """Run a fake Gemini in a process while the block runs; yield its address."""
    process = subprocess.Popen([sys.executable, "-m", "local.fake_gemini"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
