"""A world in which everything goes wrong, in virtual time. One seed decides everything that happens.

The worker, the use cases and the domain are the real ones. Their ports lose, repeat, delay and reorder calls.
A process may die before or after each effect of each call; nothing of it runs after that.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import override

from darkroom.domain.access import Access, Scope
from darkroom.domain.case import Case, image_key
from darkroom.domain.errors import (
    Cancelled,
    Contention,
    DarkroomError,
    RequestError,
    Superseded,
    Undeliverable,
)
from darkroom.domain.job import Job
from darkroom.domain.losses import LossReason
from darkroom.domain.quota import Limits, Quota, QuotaState
from darkroom.domain.run import RunLog, WorkOrder
from darkroom.domain.run_policy import RunPolicy
from darkroom.domain.shot_errors import Overloaded, Refused, ShotError, StorageFailed, Throttled
from darkroom.domain.snapshot import Snapshot
from darkroom.domain.timing import Timing
from darkroom.ports import ImageProcessor, ImageProvider, RawImage, SnapshotChannel, StoredQuota
from darkroom.usecases.cancel_job import CancelJob
from darkroom.usecases.record_progress import RecordProgress
from darkroom.usecases.retry_job import RetryJob
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.submit_case import SubmitCase
from darkroom.usecases.sweep_jobs import SweepJobs
from darkroom.worker.run_job import RunJob

from testing.builders import PRICE, an_image_model
from testing.fakes.images import MemoryImages
from testing.fakes.jobs import MemoryDailyLimit, MemoryJobs
from testing.fakes.quota import MemoryQuota
from tests.simulation import failures
from tests.simulation.invariants import Violation, check, check_write

START = 1_800_000_000_000
TIMING = Timing()
URL = "https://sim/hook"
CALLER = Access(caller="game", scopes=frozenset({Scope.SUBMIT}))
CLOCKS_DIFFER_S = 6


class Killed(BaseException):
    """The death of a process. It is not an Exception, so that no code of ours can catch it."""


@dataclass(eq=False)
class Process:
    """One running worker."""

    name: str
    order: WorkOrder
    request_id: str
    alive: bool = True
    claimed: bool = False
    """True if its claim was acknowledged."""
    holds: bool = False
    """True if its claim is in the job and its last snapshot has not been merged."""
    stored_at_claim: frozenset[str] = frozenset()
    skew_ms: int = 0
    """Milliseconds by which its clock is ahead."""
    claim: str | None = None
    reason: LossReason = LossReason.CRASH
    """Reason that Lambda gives when it dies."""
    accepted_sequence: int = 0
    accepted_at: int = 0
    """Time of sending of the latest snapshot that the webhook has accepted."""
    is_ghost: bool = False
    """True if its run was taken over because it was silent."""
    mute: tuple[float, float] = (0.0, 0.0)
    """Seconds of the loop between which none of its snapshots arrives."""


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


@dataclass
class World:
    """Everything outside the use cases."""

    seed: int
    timing = TIMING
    webhook_url = URL
    dice: random.Random = field(init=False)
    trace: list[str] = field(default_factory=list)
    faulty: bool = True
    intensity: float = field(init=False)
    """Factor of the shares of faults that are given below."""
    worker_seconds: float = field(init=False)
    """Seconds that Lambda gives a worker; a short time makes many continuations."""
    concurrency: int = field(init=False)
    jobs: "SimJobs" = field(init=False)
    images: "SimImages" = field(init=False)
    processes: list[Process] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Ids of the shots that the provider refuses for good."""
    huge: set[str] = field(default_factory=set)
    """Ids of the shots whose pictures no worker has the memory for."""
    requests: int = 0
    limits: Limits = field(init=False)
    starts: list[float] = field(default_factory=list)
    billed: Counter[str] = field(default_factory=Counter)
    quotas: dict[str, tuple[int, Quota]] = field(default_factory=dict)
    budgets: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    calls: int = 0
    depth: int = 0
    sender: Process | None = None
    """The worker whose snapshot the webhook is merging."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    violations: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.intensity = self.dice.choice([0.3, 1.0, 1.0, 4.0])
        self.worker_seconds = self.dice.choice([95.0, 140.0, 300.0])
        self.concurrency = self.dice.choice([1, 3, 14])
        self.limits = Limits(per_minute=self.dice.choice([None, None, 30, 6]))
        self.jobs = SimJobs(self)
        self.images = SimImages(self)

    def started(self, order: WorkOrder) -> None:
        """Record that a request has reached the provider; check the limits and the budget."""
        now, limit = asyncio.get_running_loop().time(), self.limits.per_minute
        self.starts.append(now)
        recent = sum(at > now - 60 + CLOCKS_DIFFER_S for at in self.starts)
        check(limit is None or recent <= limit, f"{recent} starts in a minute, {limit} are allowed")
        self.billed[order.job_id] += PRICE
        budget = order.case.max_cost_micro_usd
        check(budget is None or self.billed[order.job_id] <= budget, "more was spent than the caller allows")

    # ---- time, chance, record ----

    def now(self) -> int:
        return START + round(asyncio.get_running_loop().time() * 1000)

    def clock(self) -> Callable[[], int]:
        """Return the clock of one process, which is a few seconds off."""
        skew = self.dice.randint(-3000, 3000)
        return lambda: self.now() + skew

    def chance(self, share: float) -> bool:
        return self.faulty and self.dice.random() < share * self.intensity

    def note(self, text: str) -> None:
        process = CURRENT.get()
        self.trace.append(
            f"{asyncio.get_running_loop().time():9.3f} {process.name if process else '-'} {text}"
        )

    def new_id(self) -> str:
        return f"{self.dice.getrandbits(64):016x}"

    # ---- processes ----

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        """Surround the effect of a port call: here a process may die, or another may be faster."""
        self.calls += 1
        process = CURRENT.get()
        if process is not None and not process.alive:
            raise Killed
        if self.chance(0.004):
            self.die(f"before {name}")
        if process is None and self.depth == 0 and self.chance(0.05):
            self._somebody_is_faster()
        try:
            yield
        except Violation as violation:
            self.violations.append(violation)  # a sweep goes on after whatever one job raises
            raise
        self.note(name)
        if self.chance(0.004):
            self.die(f"after {name}")

    def die(self, where: str) -> None:
        self.note(f"DIES {where}")
        process = CURRENT.get()
        if process is not None:
            process.alive = False
        raise Killed

    def _somebody_is_faster(self) -> None:
        self.depth += 1
        sender, self.sender = self.sender, None
        try:
            self.dice.choice([self.sweep, self.sweep, self.user])()
        finally:
            self.sender = sender
            self.depth -= 1

    def spawn(self, order: WorkOrder, request_id: str) -> None:
        """Run a worker in an execution environment of its own."""
        process = Process(name=f"w{len(self.processes)}", order=order, request_id=request_id)
        if self.chance(0.05):
            begin = asyncio.get_running_loop().time() + self.dice.uniform(0, 100)
            process.mute = (begin, begin + self.dice.uniform(20, 120))
            if self.dice.random() < 0.7:
                failures.report_other_delivery(self, process, at=begin + self.dice.uniform(-10, 30))
        self.processes.append(process)
        task = asyncio.get_running_loop().create_task(self._work(process), name=process.name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _work(self, process: Process) -> None:
        CURRENT.set(process)
        loop, clock = asyncio.get_running_loop(), self.clock()
        started = loop.time()
        process.skew_ms = clock() - self.now()
        task = asyncio.current_task()
        assert task is not None
        seconds = self.worker_seconds
        lifetime = self.dice.uniform(0, seconds) if self.chance(0.15) else seconds
        killed = loop.call_later(lifetime, self._kill, process, task)
        try:
            run_job = self._run_job(clock)
            report = await run_job(process.order, lambda: started + seconds - loop.time(), process.request_id)
            self.note(f"ended: {report.ending}")
            for defect in report.defects:
                raise defect
        except* (Killed, asyncio.CancelledError):
            failures.report_death(self, process)
        except* Exception as group:  # noqa: BLE001 - whatever it is, the seed has failed
            self.violations.extend(group.exceptions)
        finally:
            killed.cancel()
            process.alive = False

    def kill(self, number: int) -> None:
        """Kill a worker, by its number."""
        process = self.processes[number]
        task = next((task for task in self.tasks if task.get_name() == process.name), None)
        if task is not None:
            self._kill(process, task)

    def _kill(self, process: Process, task: asyncio.Task[None]) -> None:
        process.alive = False
        process.reason = LossReason.TIMEOUT
        self.trace.append(f"{asyncio.get_running_loop().time():9.3f} {process.name} is KILLED")
        task.cancel()

    def _run_job(self, clock: Callable[[], int]) -> RunJob:
        return RunJob(
            policy=RunPolicy(concurrency=self.concurrency),
            processor=SimProcessor(self),
            images=self.images,
            image_models=[an_image_model(SimProvider(self), limits=self.limits)],
            quota_store=SimQuota(self),
            channel=SimChannel(self),
            clock=clock,
            new_id=self.new_id,
            jitter=self.dice.random,
        )

    def attempt(self, name: str, action: Callable[[], object]) -> bool:
        """Run one short process; return True if it responded, and did not die or fail."""
        token = CURRENT.set(None)
        try:
            action()
        except Killed:
            return False
        except (RequestError, Contention, StorageFailed) as refusal:
            self.note(f"{name}: {type(refusal).__name__}")
            return False
        finally:
            CURRENT.reset(token)
        self.note(f"{name}: responded")
        return True

    # ---- the functions ----

    def start(self) -> StartWorker:
        return StartWorker(jobs=self.jobs, workers=failures.SimWorkers(self))

    def submit(self, case: Case, *, replace: bool = False) -> bool:
        use_case = SubmitCase(
            jobs=self.jobs,
            daily_limit=MemoryDailyLimit(),
            start=self.start(),
            clock=self.clock(),
            new_id=self.new_id,
            timing=TIMING,
        )
        return self.attempt("submit", lambda: use_case(case, caller="game", webhook_url=URL, replace=replace))

    def retry(self, descriptions: Mapping[str, str]) -> bool:
        use_case = RetryJob(
            jobs=self.jobs,
            daily_limit=MemoryDailyLimit(),
            start=self.start(),
            clock=self.clock(),
            timing=TIMING,
        )
        return self.attempt("retry", lambda: use_case(self.case_id, descriptions, by=CALLER, webhook_url=URL))

    def cancel(self) -> bool:
        use_case = CancelJob(jobs=self.jobs, clock=self.clock())
        return self.attempt("cancel", lambda: use_case(self.case_id, by="game"))

    def sweep(self) -> None:
        use_case = SweepJobs(
            jobs=self.jobs,
            images=self.images,
            start=self.start(),
            clock=self.clock(),
            jitter=self.dice.random,
            timing=TIMING,
            webhook_url=URL,
            limit=10,
        )
        self.attempt("sweep", use_case)

    def webhook(self, snapshot: Snapshot, sender: Process) -> None:
        """Deliver a snapshot to the webhook function; raise what the worker gets as a response."""
        use_case = RecordProgress(jobs=self.jobs, start=self.start(), clock=self.clock(), timing=TIMING)
        token = CURRENT.set(None)
        self.sender = sender
        try:
            use_case(snapshot, webhook_url=URL)
        except Killed:
            raise Undeliverable("500", retryable=True) from None
        except (Superseded, Cancelled):
            raise
        except Contention:
            raise Undeliverable("503", retryable=True) from None
        except RequestError as error:
            raise Undeliverable(type(error).__name__, retryable=False) from None
        finally:
            self.sender = None
            CURRENT.reset(token)

    # ---- the user ----

    case_id = "case-1"

    def user(self) -> None:
        """Act as a caller who changes their mind: cancel, retry or replace the job."""
        job = self.jobs.jobs.get(self.case_id)
        if job is None:
            return
        choice = self.dice.random()
        if choice < 0.35:
            self.cancel()
        elif choice < 0.9:
            missing = [i for i in job.missing if self.dice.random() < 0.2]
            self.retry({shot_id: f"other words {self.dice.randint(0, 9)}" for shot_id in missing})
        else:
            shots = self.jobs.get_case_unseen(job).shots
            self.submit(Case(case_id=self.case_id, shots=shots[: max(1, len(shots) - 1)]), replace=True)


class SimJobs(MemoryJobs):
    """The table of jobs. Each write is checked against the invariants."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    @override
    def create(self, job: Job, case: Case) -> bool:
        with self._world.effect("jobs.create"):
            created = super().create(job, case)
            if created:
                check_write(None, job)
            return created

    @override
    def get(self, case_id: str) -> Job:
        with self._world.effect("jobs.get"):
            return super().get(case_id)

    @override
    def get_case(self, job: Job) -> Case:
        with self._world.effect("jobs.get_case"):
            return super().get_case(job)

    def get_case_unseen(self, job: Job) -> Case:
        """Return the case for the simulation itself, which cannot die."""
        return super().get_case(job)

    @override
    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        with self._world.effect(f"jobs.save {job.status} run {job.run} done {len(job.images)}"):
            if self._world.chance(0.02):
                raise Contention("a conflict of transactions")
            old = self.jobs.get(job.case_id)
            super().save(job, beside)
            check_write(old, job)
            self._watch_claims(old, job)

    @override
    def due(self, now: int, limit: int) -> Sequence[str]:
        with self._world.effect("jobs.due"):
            if self._world.chance(0.05):
                return list(self.jobs)  # the index lags: it names what is not due any more, or not yet
            return super().due(now, limit)

    def _watch_claims(self, old: Job | None, new: Job) -> None:
        sender = self._world.sender
        if sender is not None and new.lease_until is None:
            sender.holds = False  # its last snapshot was merged: it sends no more requests
        self._watch_takeovers(old, new)
        if old is None or new.claim is None or new.claim == old.claim:
            return
        holders = [p.name for p in self._world.processes if p.holds and p.alive and not p.is_ghost]
        check(not holders, f"run {new.run} was claimed while {holders} were alive and held a claim")
        assert sender is not None
        sender.holds = True
        sender.claim = new.claim
        sender.stored_at_claim = frozenset(self._world.images.stored_pictures)

    def _watch_takeovers(self, old: Job | None, new: Job) -> None:
        """Check that only a worker that Lambda reported, and that was silent since, loses its run early."""
        if old is None or old.suspicion is None or new.run == old.run or new.job_id != old.job_id:
            return
        if old.lease_until is None or self._world.now() >= old.lease_until - CLOCKS_DIFFER_S * 1000:
            return
        for process in self._world.processes:
            if process.claim != old.claim or self._world.sender is process:
                continue
            was_active = process.accepted_at > old.suspicion.at + CLOCKS_DIFFER_S * 1000
            check(not was_active, f"run {old.run} was taken over although its worker was not silent")
            process.is_ghost = True
            self._world.note(f"{process.name} becomes a ghost, {'alive' if process.alive else 'dead'}")


class SimImages(MemoryImages):
    """The bucket of pictures."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    @override
    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        await asyncio.sleep(self._world.dice.uniform(0.01, 0.2))
        with self._world.effect(f"images.put {key[-24:]}"):
            if self._world.chance(0.01):
                raise StorageFailed("no")
            check(key not in self.stored_pictures, f"{key} was overwritten")
            await super().put(key, jpeg, facts)

    @override
    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        await asyncio.sleep(0.05)
        return self.keys(case_id, job_id)

    @override
    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        with self._world.effect("images.keys"):
            if self._world.chance(0.02):
                raise StorageFailed("no")
            return super().keys(case_id, job_id)


class SimQuota(MemoryQuota):
    """The quota's items, which are contended and sometimes out of reach."""

    def __init__(self, world: World) -> None:
        super().__init__(quotas=world.quotas, budgets=world.budgets)
        self._world = world

    @override
    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        await asyncio.sleep(self._world.dice.uniform(0.005, 0.05))
        with self._world.effect("quota.load"):
            if self._world.chance(0.002):
                raise StorageFailed("no")
            return await super().load(image_model, budgets)

    @override
    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        await asyncio.sleep(self._world.dice.uniform(0.005, 0.05))
        with self._world.effect("quota.save"):
            if self._world.chance(0.05):
                raise Contention("another worker was faster")
            if self._world.chance(0.002):
                raise StorageFailed("no")
            await super().save(stored, state)
            if self._world.chance(0.002):
                raise StorageFailed("it was stored, and nobody knows")


@dataclass
class SimProcessor(ImageProcessor):
    """The processing of pictures. A huge picture needs more memory than a worker has."""

    world: World

    @override
    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        await asyncio.sleep(0.2)
        process = CURRENT.get()
        assert process is not None
        if facts["shot"] in self.world.huge:
            process.reason = LossReason.MEMORY
            self.world.die(f"processing {facts['shot']}")
        return b"jpeg"


@dataclass
class SimChannel(SnapshotChannel):
    """The network between worker and webhook."""

    world: World

    @override
    async def send(self, snapshot: Snapshot, url: str) -> None:
        world, process = self.world, CURRENT.get()
        assert process is not None
        with world.effect(f"send {snapshot.kind} {snapshot.sequence}"):
            pass
        begin, end = process.mute
        if begin <= asyncio.get_running_loop().time() < end:
            await asyncio.sleep(8)
            raise Undeliverable("the network is down", retryable=True)
        sent_at = world.now()
        snapshot = replace(snapshot, sent_at=sent_at + process.skew_ms)
        await asyncio.sleep(world.dice.uniform(0.01, 0.3) if not world.chance(0.02) else 9.0)
        if world.chance(0.05):
            raise Undeliverable("the request was lost", retryable=True)
        if world.chance(0.05):
            asyncio.get_running_loop().call_later(world.dice.uniform(0, 60), self._again, process, snapshot)
        if world.chance(0.02):
            asyncio.get_running_loop().call_later(world.dice.uniform(0, 30), self._again, process, snapshot)
            raise Undeliverable("timed out, and arrives later", retryable=True)
        self._deliver(process, snapshot)
        if snapshot.sequence > process.accepted_sequence:  # a repetition proves nothing: it may be late
            process.accepted_sequence = snapshot.sequence
            process.accepted_at = sent_at
        if world.chance(0.05):
            raise Undeliverable("the response was lost", retryable=True)
        if snapshot.kind == "claim":
            process.claimed = True

    def _deliver(self, process: Process, snapshot: Snapshot) -> None:
        self.world.webhook(snapshot, process)

    def _again(self, process: Process, snapshot: Snapshot) -> None:
        try:
            with suppress(DarkroomError):
                self._deliver(process, snapshot)
        except Violation as violation:
            self.world.violations.append(violation)


@dataclass
class SimProvider(ImageProvider):
    """A provider that is slow, overloaded, throttled or hangs, and that sometimes refuses for good."""

    world: World

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        world, process = self.world, CURRENT.get()
        assert process is not None
        shot = next(s for s in process.order.case.shots if s.prompt == prompt)
        with world.effect(f"generate {shot.id}"):
            world.requests += 1
            world.started(process.order)
        check(process.claimed, "a request was made before the claim was acknowledged")
        order = process.order
        keys = {
            image_key(order.case.case_id, order.job_id, shot.id, digest=order.digests[shot.id], run=run)
            for run in range(1, order.run + 1)
        }
        check(
            not keys & process.stored_at_claim,
            f"{shot.id} was stored before the run began, and requested again",
        )
        await asyncio.sleep(min(world.dice.lognormvariate(1.8, 0.6), 50))
        if world.chance(0.03):
            await asyncio.sleep(10_000)
        try:
            if shot.id in world.refused:
                raise Refused("IMAGE_SAFETY")
            if world.chance(0.05):
                raise Overloaded("503")
            if world.chance(0.03):
                raise Throttled("429", retry_after=world.dice.choice([None, 5.0, 48.0, 90.0]))
        except ShotError:
            world.billed[process.order.job_id] -= PRICE  # what fails is not billed
            raise
        return RawImage(data=b"raw", model="sim")
