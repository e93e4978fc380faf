"""The surroundings of a fleet: the gateway, the provider and the bucket; and the fleet's configuration."""

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.run_policy import ReportPolicy
from darkroom.domain.shot_errors import Throttled
from darkroom.ports import ImageProvider, RawImage
from darkroom.settings import SweeperSettings

from bench.fleet.table import LIST_S, FleetJobs
from bench.speed.scenarios import MEDIAN_S, P95_S
from testing.fakes.images import MemoryImages

PUT_S = 0.06
WEBHOOK_PER_S, WEBHOOK_BURST = 500, 1_000
"""The webhook's throttle, as in the template."""
SIGMA = math.log(P95_S / MEDIAN_S) / 1.645


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The configuration and the load of one row."""

    cases_per_minute: float
    minutes: float = 5.0
    """Minutes for which callers submit."""
    drain: float = 10.0
    """Maximum number of further minutes that are simulated."""
    quota: int | None = None
    """The provider's quota in requests a minute."""
    keeps_quota: bool = True
    """True if RequestsPerMinute is set to the quota."""
    account: int = 1_000
    reserved: dict[str, int] = field(default_factory=dict)
    submits_per_s: int = 10
    submits_burst: int = 20
    sweep_limit: int = SweeperSettings.sweep_limit
    sweep_threads: int = SweeperSettings.sweep_threads
    big_share: float = 0.0
    """Share of cases with 100 shots; the others have 14."""
    daily_budget: bool = False
    reports: ReportPolicy = field(default_factory=ReportPolicy)
    seed: int = 1


@dataclass
class Bucket:
    """The gateway's throttle of a route."""

    per_s: float
    burst: float
    left: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.burst

    def take(self) -> bool:
        """Count a request; return True if it passes."""
        now = asyncio.get_running_loop().time()
        self.left, self.at = min(self.burst, self.left + (now - self.at) * self.per_s), now
        passes = self.left >= 1
        self.left -= passes
        return passes


@dataclass
class FleetProvider(ImageProvider):
    """An ImageProvider with lognormal latency and its own window of 60 s for the quota."""

    per_minute: int | None
    dice: random.Random
    starts: deque[float] = field(default_factory=deque)
    requests: int = 0
    throttled: int = 0
    made: list[float] = field(default_factory=list)

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        now = asyncio.get_running_loop().time()
        self.requests += 1
        while self.starts and self.starts[0] <= now - 60:
            self.starts.popleft()
        if self.per_minute is not None and len(self.starts) >= self.per_minute:
            self.throttled += 1
            raise Throttled("429", retry_after=self.starts[0] + 60 - now)
        self.starts.append(now)
        await asyncio.sleep(MEDIAN_S * self.dice.lognormvariate(0, SIGMA))
        self.made.append(asyncio.get_running_loop().time())
        return RawImage(data=b"", model="bench")


class FleetImages(MemoryImages):
    """An ImageStore and ImageIndex that keeps keys by job, because the sweeper lists them often."""

    def __init__(self, jobs: FleetJobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._of: dict[tuple[str, str], list[str]] = {}

    @override
    async def put(self, key: str, jpeg: bytes, facts: object) -> None:
        await asyncio.sleep(PUT_S)
        _, case_id, job_id, _ = key.split("/", 3)
        self._of.setdefault((case_id, job_id), []).append(key)

    @override
    def keys(self, case_id: str, job_id: str) -> list[str]:
        self._jobs.spend(LIST_S)
        return list(self._of.get((case_id, job_id), []))
