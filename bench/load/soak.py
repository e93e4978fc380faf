"""`make soak MINUTES=30`: random cases, faults, kills, cancels, retries and replacements for half an hour.

At the end no job may be open, no picture may be lost or uncounted, and no function's memory may have grown.
The exit code is 1 when one of these claims does not hold.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from darkroom.adapters.dynamodb.items import job_from_item
from darkroom.domain.job import Job
from darkroom.domain.job_history import SWEEPER
from darkroom_client import AsyncClient, Case, Conflict, DarkroomError, Item, Status

from bench.load.processes import processes
from local import package, stack
from local.fake_gemini import Config

FAULTS = {
    "hang": 0.02,
    "trickle": 0.01,
    "500": 0.02,
    "503": 0.05,
    "429": 0.02,
    "safety": 0.02,
    "truncated": 0.02,
}
FAKE_GEMINI = Config(latency_median=2.0, latency_p95=5.0, faults=FAULTS, quota_per_minute=240)
LEASE_S = 315
DRAIN_S = 1500.0
"""Maximum time in seconds until the last job has ended: a lease, the backoff, the attempts."""
PRICE_USD = 0.0336
FLAT = 1.15
"""Maximum growth of a process's memory after its first two minutes, as a factor."""


@dataclass(kw_only=True)
class Soak:
    """A soak test: the players, and what they observe."""

    running: stack.Stack
    client: AsyncClient
    dice: random.Random
    until: float
    did: Counter[str] = field(default_factory=Counter)
    sizes: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    """(function, process) → its memory in MB, every ten seconds."""
    submitted: int = 0

    async def run(self, players: int) -> None:
        """Let the players act at random until the time is over."""
        async with asyncio.TaskGroup() as group:
            for _ in range(players):
                group.create_task(self._play())
            group.create_task(self._kill())
            group.create_task(self._measure_memory())

    async def _play(self) -> None:
        while time.monotonic() < self.until:
            self.submitted += 1
            case = self._case(f"soak-{self.submitted:05}")
            try:
                await self._play_case(case)
            except DarkroomError as error:
                self.did[f"refused: {error.code or type(error).__name__}"] += 1

    async def _play_case(self, case: Case) -> None:
        await self.client.submit(case)
        self.did["submitted"] += 1
        if self.dice.random() < 0.2:
            await asyncio.sleep(self.dice.uniform(0, 8))
            await self.client.cancel(case.case_id)
            self.did["cancelled"] += 1
        for _ in range(2):
            job = await self.client.wait(case.case_id, timeout=DRAIN_S)
            if job.status is Status.COMPLETED or self.dice.random() < 0.3:
                break
            await self._retry(case.case_id, job.failed_ids)
        if self.dice.random() < 0.1:
            other = self._case(case.case_id)
            await self._repeat(lambda: self.client.submit(other, replace=True), "replaced")

    async def _retry(self, case_id: str, failed: list[str]) -> None:
        words = {i: f"other words {self.dice.randint(0, 99)}" for i in failed if self.dice.random() < 0.5}
        await self._repeat(lambda: self.client.retry(case_id, words), "retried")

    async def _repeat(self, request: Callable[[], Awaitable[Any]], did: str) -> None:
        for _ in range(3):
            try:
                await request()
            except Conflict as error:  # a worker is still stopping, or every picture is made already
                self.did[f"{did}: {error.code}"] += 1
                await asyncio.sleep(error.retry_after or 0)
                if error.retry_after:
                    continue
            else:
                self.did[did] += 1
            return

    def _case(self, case_id: str) -> Case:
        shots = range(self.dice.choice([1, 2, 5, 14]))
        items = [
            Item(id=f"e-{n}", name=f"Thing {n}", description=f"number {self.dice.random()}") for n in shots
        ]
        return Case(case_id=case_id, evidence=items)

    async def _kill(self) -> None:
        """Kill a worker at random moments."""
        while time.monotonic() < self.until:
            await asyncio.sleep(self.dice.uniform(20, 60))
            workers = [p.pid for p in self._processes() if p.function == self.running.worker]
            if workers:
                os.kill(self.dice.choice(workers), signal.SIGKILL)
                self.did["killed a worker"] += 1

    async def _measure_memory(self) -> None:
        while time.monotonic() < self.until:
            for process in self._processes():
                self.sizes[process.function, process.pid].append(process.rss_mb)
            await asyncio.sleep(10)

    def _processes(self) -> Any:
        return processes(self.running.pids["emulator"])

    def growth(self) -> dict[str, tuple[float, float, float]]:
        """Return function → MB of its oldest process after two minutes, in the middle and at the end."""
        longest: dict[str, list[float]] = {}
        for (function, _), sizes in self.sizes.items():
            if len(sizes) > max(24, len(longest.get(function, []))):
                longest[function] = sizes
        return {name: (sizes[12], sizes[len(sizes) // 2], sizes[-1]) for name, sizes in longest.items()}


def jobs(running: stack.Stack) -> Iterator[Job]:
    """Yield all jobs of the table."""
    pages = running.client("dynamodb").get_paginator("scan").paginate(TableName=running.table)
    for page in pages:
        for item in page["Items"]:
            if "requestDigest" in item:
                yield job_from_item(item)


def unreferenced(running: stack.Stack, found: list[Job]) -> list[str]:
    """Return the keys of pictures that no job names."""
    named = {key for job in found for key in job.images.values()}
    pages = (
        running.client("s3").get_paginator("list_objects_v2").paginate(Bucket=running.bucket, Prefix="cases/")
    )
    return [i["Key"] for page in pages for i in page.get("Contents", []) if i["Key"] not in named]


def lost_a_worker(job: Job) -> bool:
    """Return True if the sweeper changed the job: then a worker died, and its spending is not fully known."""
    return any(entry.by == SWEEPER for entry in job.history)


def drained(running: stack.Stack) -> list[Job]:
    """Wait until no job is open, or the time for that is over; return all jobs."""
    end = time.monotonic() + DRAIN_S
    while True:
        found = list(jobs(running))
        if time.monotonic() > end or not any(job.is_open for job in found):
            return found
        time.sleep(5)


def report(soak: Soak, found: list[Job], left: list[str]) -> list[str]:
    """Print the figures; return the claims that do not hold."""
    print(f"did        {dict(sorted(soak.did.items()))}")
    print(f"endings    {dict(Counter(job.status.value for job in found))}")
    cost, wasted = (sum(getattr(j, f"{name}_micro_usd") for j in found) / 1e6 for name in ("cost", "wasted"))
    print(f"pictures   {sum(len(job.images) for job in found)}, for ${cost:.2f}, of it wasted ${wasted:.2f}")
    current = {job.job_id: job for job in found}
    of = Counter(key.split("/")[2] for key in left)
    replaced = sum(count for job_id, count in of.items() if job_id not in current)
    lost = sum(count for job_id, count in of.items() if job_id in current and lost_a_worker(current[job_id]))
    short = {
        job_id: count
        for job_id, count in of.items()
        if job_id in current
        and not lost_a_worker(current[job_id])
        and count * PRICE_USD * 1e6 > current[job_id].wasted_micro_usd + 1
    }
    print(f"left over  {len(left)} pictures that no job names: {replaced} of replaced jobs (counted);")
    print(
        f"           {lost} of killed workers (docs/guarantees.md); {len(left) - replaced - lost} of others,"
    )
    print(
        f"           of which {sum(short.values())} are not in wastedUsd. All expire after KeepPicturesDays"
    )
    for function, (first, middle, last) in sorted(soak.growth().items()):
        print(f"memory     {function:44} {first:6.1f} MB after two minutes, {middle:6.1f} {last:6.1f}")
    claims = {
        "no job is open": not any(job.is_open for job in found),
        "every job that says completed has all pictures": all(
            len(job.images) == len(job.shots) for job in found if job.status.value == "completed"
        ),
        "no picture is left over uncounted": not short,
        "no function has grown": all(last <= FLAT * first for first, _, last in soak.growth().values()),
    }
    return [claim for claim, holds in claims.items() if not holds]


async def play(running: stack.Stack, minutes: float, players: int, seed: int) -> Soak:
    """Run the soak test for so many minutes."""
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        client = AsyncClient(running.api_url, running.token, http=http)
        until = time.monotonic() + 60 * minutes
        soak = Soak(running=running, client=client, dice=random.Random(seed), until=until)
        await soak.run(players)
        return soak


def main() -> int:
    """Run the soak test, wait until every job has ended, and check the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--players", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    parameters = {
        "RequestsPerMinute": str(FAKE_GEMINI.quota_per_minute),
        "CasesPerDay": "0",
        "GraceSeconds": "60",
        "LeaseSeconds": str(LEASE_S),
    }
    log = package.ROOT / ".local" / "soak.log"
    with stack.running(parameters=parameters, fake_config=FAKE_GEMINI, log=log) as running:
        soak = asyncio.run(play(running, arguments.minutes, arguments.players, arguments.seed))
        found = drained(running)
        broken = report(soak, found, unreferenced(running, found))
    print("held: all claims" if not broken else f"NOT HELD: {'; '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
