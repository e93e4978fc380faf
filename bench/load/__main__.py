"""`make load CASES=10`: a load test with many cases on the local stack, with a quota of the provider.

The fake provider enforces the quota in any 60 seconds, like the real one. The stack is deployed with the same
`RequestsPerMinute`. The client submits the cases and follows them. The exit code is 1 when one of the claims
at the end does not hold.
"""

import argparse
import asyncio
import math
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import httpx
from darkroom.api.app import WEBHOOK_PATH
from darkroom.settings import WorkerSettings
from darkroom_client import AsyncClient, Case, Job, Policy
from darkroom_client.files import read_case

from bench.load.invocations import Invocations, invocations
from bench.load.request_counter import CountingProxy
from bench.speed.scenarios import MEDIAN_S, P95_S
from bench.speed.wall_clock import fake_provider
from local import package, stack
from local.fake_gemini import Config

TIMEOUT_S = 3600.0
GENERATE_PATH = f"/v1beta/models/{WorkerSettings.gemini_model}:generateContent"
AT_ONCE = 10
PAUSE_S = 3.0
"""Seconds between two submissions after the first ten: two processors cannot start a hundred workers at once,
because the emulator unpacks the layer for each."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A case as its caller saw it. Times are seconds."""

    job: Job
    submit: float
    """Time until the response to the submission."""
    done: float
    """Time from the submission until the caller saw that the job had ended."""


async def follow(client: AsyncClient, case: Case, after_s: float) -> Followed:
    """Submit a case and follow it to its end; poll as often as the server says."""
    await asyncio.sleep(after_s)
    began = time.monotonic()
    submitted = await client.submit(case)
    accepted = time.monotonic()
    job = await client.wait(submitted.case_id, timeout=TIMEOUT_S)
    return Followed(job=job, submit=accepted - began, done=time.monotonic() - began)


async def follow_all(running: stack.Stack, cases: list[Case]) -> list[Followed]:
    """Submit ten cases at once and each further one three seconds later; follow all."""
    limits = httpx.Limits(max_connections=len(cases), max_keepalive_connections=len(cases))
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as http:
        client = AsyncClient(running.api_url, running.token, http=http, policy=Policy(retries=10))
        waits = [max(0, n - AT_ONCE + 1) * PAUSE_S for n in range(len(cases))]
        return list(await asyncio.gather(*(follow(client, *one) for one in zip(cases, waits, strict=True))))


async def warm(running: stack.Stack, provider: str, case: Case) -> None:
    """Let the provider draw all pictures, and start the functions behind the API, which is slow locally."""
    async with httpx.AsyncClient(base_url=provider, timeout=120, trust_env=False) as http:
        kinds = ("Evidence", case.evidence), ("Atmospheric environmental", case.locations)
        for prompt in (f"{kind} photography: {item.name}. " for kind, items in kinds for item in items):
            body = {"contents": [{"parts": [{"text": prompt}]}]}
            response = await http.post(GENERATE_PATH, json=body, headers={"x-goog-api-key": "provider"})
            response.raise_for_status()
    refused = {"content-type": "application/json", "authorization": f"Bearer {running.token}"}
    paths = ("/api/generate-case-images", WEBHOOK_PATH, "/api/nothing")
    async with httpx.AsyncClient(base_url=running.api_url, timeout=120, trust_env=False) as http:
        for path in paths:
            await asyncio.gather(*[http.post(path, headers=refused, content="{}") for _ in range(AT_ONCE)])


def percentiles(values: list[float]) -> str:
    """Return p50, p95 and the maximum as text."""
    ranked = sorted(values)
    p95 = ranked[math.ceil(0.95 * len(ranked)) - 1]
    return f"p50 {statistics.median(ranked):.1f}  p95 {p95:.1f}  max {ranked[-1]:.1f} s"


def fairness(values: list[float]) -> float:
    """Return Jain's index: 1 when all waited equally long, 1/n when only one waited."""
    return sum(values) ** 2 / (len(values) * sum(value**2 for value in values))


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one load test."""

    quota: int
    followed: list[Followed]
    requests: int
    throttled: int
    calls: Counter[tuple[str, str]]
    ran: Invocations
    took: float
    """Seconds from the first submission until the last case was done."""

    @property
    def floor(self) -> float:
        """Lower bound of the total time in seconds: the quota's last start, and one request."""
        pictures = sum(f.job.total_images for f in self.followed)
        return (pictures - 1) // self.quota * 60.0 + MEDIAN_S

    def report(self) -> None:
        """Print the figures."""
        done = [f.done for f in self.followed]
        cases = len(done)
        print(f"{cases} cases, a quota of {self.quota} requests a minute")
        print(f"  submit   {percentiles([f.submit for f in self.followed])}")
        print(
            f"  done     {percentiles(done)}; the last at {self.took / self.floor:.2f} of the quota's floor"
        )
        print(f"  fairness {fairness(done):.3f} (Jain's index of the times until done)")
        print(f"  endings  {dict(Counter(str(f.job.status) for f in self.followed))}")
        pictures = sum(f.job.completed_images for f in self.followed)
        print(f"  pictures {pictures}, requests {self.requests}, of them 429: {self.throttled}")
        swept = self.ran.messages("sweeper", "swept")
        rescheduled, ended = (sum(line[kind] for line in swept) for kind in ("rescheduled", "ended"))
        print(f"  sweeps   {len(swept)}, jobs started again {rescheduled}, ended {ended}")
        runs = self.ran.messages("worker", "run_ended")
        print(f"  runs     {dict(Counter(run['ending'] for run in runs))}, snapshots lost {self.undelivered}")
        waited = 1 - sum(run["cpu_seconds"] for run in runs) / sum(run["seconds"] for run in runs)
        print(f"  workers  spent {waited:.0%} of their time waiting\n")
        print(f"{'a case':24} {'calls':>8} {'billed ms':>10}")
        for function, calls in self.ran.calls.most_common():
            print(f"{function:24} {calls / cases:8.1f} {self.ran.billed[function] / cases:10.0f}")
        for (service, operation), count in sorted(self.calls.items()):
            print(f"{service + ' ' + operation:24} {count / cases:8.1f}")

    @property
    def undelivered(self) -> int:
        """Number of snapshots that workers could not deliver."""
        return sum(run["undelivered"] for run in self.ran.messages("worker", "run_ended"))

    def broken(self) -> list[str]:
        """Return the claims that do not hold."""
        claims = {
            "every case has ended": all(not f.job.is_open for f in self.followed),
            "every picture was made": all(
                f.job.completed_images == f.job.total_images for f in self.followed
            ),
            "no request was refused for its rate": self.throttled == 0,
            "no snapshot was lost": self.undelivered == 0,
        }
        return [claim for claim, holds in claims.items() if not holds]


def load(cases: int, quota: int) -> Result:
    """Run the load test."""
    model = read_case(package.ROOT / "events" / "case.json")
    cases_to_run = [model.model_copy(update={"case_id": f"load-{n:03}"}) for n in range(cases)]
    with stack.serving(CountingProxy()) as proxy, fake_provider() as provider:
        parameters = {"RequestsPerMinute": str(quota), "CasesPerDay": "0"}
        with stack.running(
            provider=stack.Provider(url=provider, key="provider"),
            parameters=parameters,
            log=package.ROOT / ".local" / "load.log",
            environment={"AWS_ENDPOINT_URL": proxy.url, "LAMBDA_ACCOUNT_CONCURRENCY": "1000"},
        ) as running:
            emulator = urlsplit(running.emulator_url)
            assert emulator.hostname is not None
            assert emulator.port is not None
            proxy.target = (emulator.hostname, emulator.port)
            asyncio.run(warm(running, provider, model))
            config = Config(latency_median=MEDIAN_S, latency_p95=P95_S, quota_per_minute=quota)
            with httpx.Client(base_url=provider, trust_env=False) as http:
                before = http.put("/_config", json=asdict(config)).raise_for_status().json()
                proxy.take_counts()
                since = time.time_ns() // 1_000_000
                began = time.monotonic()
                followed = asyncio.run(follow_all(running, cases_to_run))
                took = time.monotonic() - began
                after = http.get("/_stats").raise_for_status().json()
            time.sleep(3)  # the observer runs a second later
            return Result(
                quota=quota,
                followed=followed,
                requests=after["requests"],
                throttled=after["outcomes"].get("429", 0) - before["outcomes"].get("429", 0),
                calls=proxy.take_counts(),
                ran=invocations(running, since),
                took=took,
            )


def main() -> int:
    """Print the figures and the claims that do not hold; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--quota", type=int, help="requests a minute; 60, or 2.4 a case if that is more")
    arguments = parser.parse_args()
    result = load(arguments.cases, arguments.quota or max(60, round(2.4 * arguments.cases)))
    result.report()
    broken = result.broken()
    print("\nheld: all claims" if not broken else f"\nNOT HELD: {'; '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
