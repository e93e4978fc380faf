"""`make bench-recovery KILLS=20`: kill workers on the local stack, and measure how soon others continue.

Each worker is killed with SIGKILL at a random moment of its run. The time is from the kill to the next
request for a picture of the same case. Then the same for workers that outgrow their memory, and without
recovery, when only the lease helps. The exit code is 1 when a picture was lost or requested twice, or when a
claim at the end does not hold.
"""

import argparse
import asyncio
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles

import httpx
from darkroom_client import AsyncClient, Case

from local import package, stack
from local.fake_gemini import Config
from testing.real_time import wait_for
from testing.worker_processes import is_dead, workers_of

ITEMS = 8
AT_ONCE = 4
"""Workers that run, and are killed, at the same time."""
LATEST_S = 15.0
"""Latest moment of a kill, in seconds after the worker's process has started."""
POLL_S = 0.05
PROVIDER = Config(latency_median=12.0, latency_p95=24.0)
LARGE = replace(PROVIDER, script={f"Glove 0 of kill-0-{index}": ["large"] for index in range(AT_ONCE)})
"""A provider whose first picture of each case needs more memory than a starved worker has."""
SPARE_BYTES = 160 << 20
P50_S = 45.0
P95_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One killed worker: what became of its case."""

    after_s: float
    """Seconds from the start of the process to the kill."""
    resumed_s: float | None
    """Seconds from the kill to the next request of the case; None if it needed no other."""
    lost: int
    """Pictures that were in storage at the kill and are not in the job."""
    twice: int
    """Pictures that were in storage at the kill and were requested again."""
    is_complete: bool


type End = Callable[[int], Awaitable[None]]
"""End a worker's process, and return when it is dead; raise ProcessLookupError when there is none."""


async def kill(pid: int) -> None:
    """End a process with SIGKILL."""
    os.kill(pid, signal.SIGKILL)


async def starve(pid: int) -> None:
    """Let a process have no more memory than it needs for ordinary pictures, and wait until it has ended."""
    await asyncio.to_thread(_starve, pid)


def _starve(pid: int) -> None:
    status = Path(f"/proc/{pid}/status").read_text()
    limit = int(status.partition("VmSize:")[2].split()[0]) * 1024 + SPARE_BYTES
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
    wait_for(lambda: is_dead(pid), bool, "the end of a worker without memory", within_s=120)


class Bench:
    """The running stack, and the cases whose workers are killed."""

    def __init__(self, running: stack.Stack, end: End, dice: random.Random, *, latest_s: float) -> None:
        self._running = running
        self._end = end
        self._latest_s = latest_s
        self._dice = dice
        self._http = httpx.AsyncClient(trust_env=False)
        self._s3 = running.client("s3")
        self._known: set[int] = set()

    async def batch(self, number: int, size: int) -> list[Kill]:
        """Submit so many cases and kill the worker of each; return what became of them."""
        async with AsyncClient(self._running.api_url, self._running.token) as client:
            started = []
            for index in range(size):
                case_id = f"kill-{number}-{index}"
                await client.submit(_case(case_id))
                started.append((case_id, await self._new_worker(), time.monotonic()))
            # Not before: another worker of a killed one's case would be taken for that of the next case.
            kills = await asyncio.gather(*(self._kill(client, *one) for one in started))
            return [kill for kill in kills if kill is not None]

    async def _kill(self, client: AsyncClient, case_id: str, pid: int, started_at: float) -> Kill | None:
        """Kill a worker and return what became of its case; None if the worker had ended before."""
        await asyncio.sleep(started_at + self._dice.uniform(0, self._latest_s) - time.monotonic())
        try:
            await self._end(pid)
        except ProcessLookupError:
            return None
        killed_at = time.monotonic()
        saved = self._stored(case_id)
        before = await self._requests(case_id)
        resumed_s = await self._next_request(client, case_id, sum(before.values()), killed_at)
        job = await client.wait(case_id, timeout=900)
        after = await self._requests(case_id)
        return Kill(
            after_s=killed_at - started_at,
            resumed_s=resumed_s,
            lost=len(saved - job.evidence_images.keys()),
            twice=sum(after[shot] > before[shot] for shot in saved),
            is_complete=job.status == "completed",
        )

    async def _next_request(
        self, client: AsyncClient, case_id: str, before: int, killed_at: float
    ) -> float | None:
        while True:
            if sum((await self._requests(case_id)).values()) > before:
                return time.monotonic() - killed_at
            if not (await client.get(case_id)).is_open:
                return None
            await asyncio.sleep(POLL_S)

    async def _requests(self, case_id: str) -> dict[str, int]:
        """Return the number of requests to the provider for each shot of a case."""
        stats = (await self._http.get(f"{self._running.provider_url}/_stats")).json()["byName"]
        return {f"e-{n}": stats.get(f"Glove {n} of {case_id}", 0) for n in range(ITEMS)}

    def _stored(self, case_id: str) -> set[str]:
        listed = self._s3.list_objects_v2(Bucket=self._running.bucket, Prefix=f"cases/{case_id}/")
        return {item["Key"].split("/")[3] for item in listed.get("Contents", [])}

    async def _new_worker(self) -> int:
        """Return the process of the worker that was started last."""
        end = time.monotonic() + 30
        while not (new := set(workers_of(self._running)) - self._known):
            if time.monotonic() > end:
                raise RuntimeError("no worker was started within 30 s")
            await asyncio.sleep(0.02)
        self._known |= new
        return new.pop()


def switch_recovery_off(running: stack.Stack) -> None:
    """Let nobody read the records of failed invocations."""
    lambda_ = running.client("lambda")
    sources = lambda_.list_event_source_mappings()["EventSourceMappings"]
    [source] = [one["UUID"] for one in sources if ":sqs:" in one["EventSourceArn"]]
    lambda_.update_event_source_mapping(UUID=source, Enabled=False)


def _case(case_id: str) -> Case:
    items = [{"id": f"e-{n}", "name": f"Glove {n} of {case_id}", "description": "grey"} for n in range(ITEMS)]
    return Case.model_validate({"caseId": case_id, "evidence": items})


def report(name: str, kills: list[Kill]) -> list[float]:
    """Print what became of the cases; return the times in which they went on."""
    times = sorted(kill.resumed_s for kill in kills if kill.resumed_s is not None)
    p50, p95 = percentiles(times)
    print(
        f"{name:<12} {len(kills):>3} kills, {len(times):>3} went on after"
        f" p50 {p50:5.1f} s, p95 {p95:5.1f} s, most {times[-1]:5.1f} s;"
        f" {sum(kill.is_complete for kill in kills)} cases completed,"
        f" {sum(kill.lost for kill in kills)} stored pictures lost,"
        f" {sum(kill.twice for kill in kills)} requested twice"
    )
    print("             " + " ".join(f"{seconds:.1f}" for seconds in times))
    return times


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the 50th and the 95th percentile."""
    if len(times) == 1:
        return times[0], times[0]
    cuts = quantiles(times, n=20, method="inclusive")
    return cuts[9], cuts[18]


def end_workers(
    *,
    kills: int,
    dice: random.Random,
    end: End = kill,
    latest_s: float = LATEST_S,
    provider: Config = PROVIDER,
    recovers: bool = True,
) -> list[Kill]:
    """End so many workers, a few at a time; return what became of their cases.

    Each time on a new stack, because the emulator gives a later case to an idle worker of an earlier one.
    """
    log = Path(package.ROOT / ".local" / "bench-recovery.log")
    found: list[Kill] = []
    while len(found) < kills:
        with stack.running(parameters={"HedgeShare": "0"}, fake_config=provider, log=log) as running:
            if not recovers:
                switch_recovery_off(running)
            size = min(AT_ONCE, kills - len(found))
            found += asyncio.run(Bench(running, end, dice, latest_s=latest_s).batch(len(found), size))
    return found


def check(killed: list[Kill], starved: list[Kill], by_lease: list[Kill]) -> bool:
    """Print the figures, and return True if all claims hold."""
    p50, p95 = percentiles(report("killed", killed))
    if starved:
        report("no memory", starved)
    if by_lease:
        report("lease only", by_lease)
    all_kills = [*killed, *starved, *by_lease]
    claims = {
        f"half went on within {P50_S:.0f} s": p50 <= P50_S,
        f"95 of 100 went on within {P95_S:.0f} s": p95 <= P95_S,
        "every case was completed": all(kill.is_complete for kill in all_kills),
        "no stored picture was lost or requested twice": not any(k.lost or k.twice for k in all_kills),
    }
    for claim, holds in claims.items():
        print(f"{'yes' if holds else 'NO '}  {claim}")
    return all(claims.values())


def main() -> int:
    """Run the bench; return exit code 1 when a claim does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--memory-kills", type=int, default=AT_ONCE, help="workers without memory; 0: none")
    parser.add_argument("--lease-kills", type=int, default=AT_ONCE, help="kills without recovery; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    killed = end_workers(kills=arguments.kills, dice=dice)
    starved = end_workers(kills=arguments.memory_kills, dice=dice, end=starve, latest_s=0, provider=LARGE)
    by_lease = end_workers(kills=arguments.lease_kills, dice=dice, recovers=False)
    holds = check(killed, starved, by_lease)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
