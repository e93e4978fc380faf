"""Simulate a deployment under load on the virtual clock: the real use cases in simulated functions."""

import asyncio
import random
import zlib
from collections import Counter
from collections.abc import Callable
from typing import override

from darkroom.domain.case import Case
from darkroom.domain.errors import Cancelled, Contention, RequestError, Superseded, Undeliverable
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.run import WorkOrder
from darkroom.domain.run_policy import RunPolicy
from darkroom.domain.snapshot import Snapshot
from darkroom.domain.timing import Timing
from darkroom.ports import SnapshotChannel, WorkerInvoker
from darkroom.usecases.record_progress import RecordProgress
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.submit_case import SubmitCase
from darkroom.usecases.sweep_jobs import SweepJobs
from darkroom.worker.image_model import ImageModel, Latencies
from darkroom.worker.run_job import RunJob

from bench.fleet.lambda_account import Account, ConcurrencyExceeded
from bench.fleet.surroundings import WEBHOOK_BURST, WEBHOOK_PER_S, Bucket, Fleet, FleetImages, FleetProvider
from bench.fleet.table import FleetJobs, FleetQuota, Keys, OutOfTime
from bench.speed.scenarios import MEDIAN_S, P95_S
from bench.speed.worker import PRICE_MICRO_USD, START
from testing.fakes.images import InstantProcessor
from testing.fakes.jobs import MemoryDailyLimit

TIMING = Timing()
NETWORK_S, HANDLER_S, INVOKE_S = 0.02, 0.008, 0.02
WORKER_TIMEOUT_S, SWEEPER_TIMEOUT_S, SWEEPER_RESERVE_S = 300.0, 50.0, 10.0


class World(WorkerInvoker, SnapshotChannel):
    """The simulated deployment of one row: its account, table, provider and figures."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.dice = random.Random(fleet.seed)
        self.account = Account(fleet.account, self.dice, fleet.reserved)
        self.keys = Keys()
        self.jobs = FleetJobs(self.keys)
        self.quota = FleetQuota(keys=self.keys, dice=self.dice)
        self.images = FleetImages(self.jobs)
        self.provider = FleetProvider(fleet.quota, self.dice)
        self.submits = Bucket(fleet.submits_per_s, fleet.submits_burst)
        self.snapshots = Bucket(WEBHOOK_PER_S, WEBHOOK_BURST)
        self.arrived: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        self.endings: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Failed calls of the API, by route and reason."""
        self.swept: list[tuple[float, int, int, float]] = []
        """Sweeps: time, number of due jobs, number of changed jobs, duration."""
        self.lag = 0.0
        """Longest wait of a change for the observer, in seconds."""
        self.workers_killed = 0
        self.defects: list[BaseException] = []
        self._ids = 0

    # ---- time ----

    def clock(self) -> int:
        """Return the time in epoch ms, including the simulated duration of the calls made so far."""
        return START + round((asyncio.get_running_loop().time() + self.jobs.took) * 1000)

    def new_id(self) -> str:
        """Return a new id."""
        self._ids += 1
        return f"{zlib.crc32(str(self._ids).encode()):08x}{self._ids:08x}"

    async def _timed(self, action: Callable[[], object], limit_s: float = 10.0, threads: int = 1) -> float:
        """Run `action` at once, then sleep for the simulated duration of its calls; return that duration."""
        self.jobs.took, self.jobs.limit, self.jobs.at_once = 0.0, limit_s, threads
        try:
            action()
        finally:
            took, self.jobs.took = self.jobs.took, 0.0
            await asyncio.sleep(took)
        return took

    # ---- the functions ----

    async def submit(self, case: Case) -> bool:
        """Submit a case; return True if the API accepted it."""
        await asyncio.sleep(NETWORK_S)
        if not self.submits.take():
            self.refused["submit 429"] += 1
            return False
        use_case = SubmitCase(
            jobs=self.jobs,
            daily_limit=MemoryDailyLimit(),
            start=StartWorker(jobs=self.jobs, workers=self),
            clock=self.clock,
            new_id=self.new_id,
            timing=TIMING,
        )
        try:
            async with self.account.invocation("initiator"):
                await asyncio.sleep(HANDLER_S)
                await self._timed(lambda: use_case(case, caller="game", webhook_url=""))
        except ConcurrencyExceeded:
            self.refused["submit 503"] += 1
            return False
        return True

    @override
    def invoke(self, order: WorkOrder) -> None:
        """Start a worker asynchronously: this class is the WorkerInvoker too."""
        self.jobs.spend(INVOKE_S)
        asyncio.get_running_loop().call_later(
            self.jobs.took,
            lambda: self.account.invoke(
                "worker", lambda: self._work(order), max_age_s=TIMING.event_age / 1000
            ),
        )

    @override
    async def send(self, snapshot: Snapshot, url: str) -> None:
        """Send a snapshot to the webhook: this class is the SnapshotChannel too."""
        await asyncio.sleep(NETWORK_S)
        if not self.snapshots.take():
            self.refused["webhook 429"] += 1
            raise Undeliverable("429", retryable=True)
        use_case = RecordProgress(
            jobs=self.jobs,
            start=StartWorker(jobs=self.jobs, workers=self),
            clock=self.clock,
            timing=TIMING,
        )
        try:
            async with self.account.invocation("webhook"):
                await asyncio.sleep(HANDLER_S)
                await self._timed(lambda: use_case(snapshot, webhook_url=""))
        except (Superseded, Cancelled):
            raise
        except (ConcurrencyExceeded, Contention) as error:
            self.refused[f"webhook {'503' if isinstance(error, ConcurrencyExceeded) else 'contention'}"] += 1
            raise Undeliverable("503", retryable=True) from error
        except RequestError as error:
            raise Undeliverable(type(error).__name__, retryable=False) from error

    async def _work(self, order: WorkOrder) -> None:
        loop, fleet = asyncio.get_running_loop(), self.fleet
        image_model = ImageModel(
            name="provider/bench",
            provider=self.provider,
            limits=Limits(per_minute=fleet.quota if fleet.keeps_quota else None),
            price_micro_usd=PRICE_MICRO_USD,
            latencies=Latencies(policy=HedgePolicy(prior_median=MEDIAN_S, prior_p95=P95_S)),
            day_until=lambda now: now + 86_400_000,
        )
        run_job = RunJob(
            policy=RunPolicy(
                reports=fleet.reports, daily_budget_micro_usd=10**12 if fleet.daily_budget else None
            ),
            processor=InstantProcessor(),
            images=self.images,
            image_models=[image_model],
            quota_store=self.quota,
            channel=self,
            clock=lambda: START + round(loop.time() * 1000),
            new_id=self.new_id,
            jitter=self.dice.random,
        )
        began = loop.time()
        try:
            async with asyncio.timeout(WORKER_TIMEOUT_S):
                report = await run_job(order, lambda: began + WORKER_TIMEOUT_S - loop.time())
            self.endings[report.ending] += 1
            self.defects += report.defects
        except TimeoutError:
            self.workers_killed += 1

    async def sweep(self) -> None:
        """Run the sweeper once."""
        now = self.clock()
        due = sum(1 for job in self.jobs.jobs.values() if job.due_at is not None and job.due_at <= now)
        sweep = SweepJobs(
            jobs=self.jobs,
            images=self.images,
            start=StartWorker(jobs=self.jobs, workers=self),
            clock=self.clock,
            jitter=self.dice.random,
            timing=TIMING,
            webhook_url="",
            limit=self.fleet.sweep_limit,
        )
        began = asyncio.get_running_loop().time()
        before = self.jobs.moved
        try:
            took = await self._timed(
                lambda: sweep(lambda: SWEEPER_TIMEOUT_S - SWEEPER_RESERVE_S - self.jobs.took),
                SWEEPER_TIMEOUT_S,
                self.fleet.sweep_threads,
            )
        except OutOfTime:
            took = SWEEPER_TIMEOUT_S
        self.swept.append((began, due, self.jobs.moved - before, took))
