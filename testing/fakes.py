"""The ports in memory. tests/contract holds them to the promises of the real adapters."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from darkroom.adapters.dynamodb.item_size import check_size
from darkroom.adapters.dynamodb.items import case_attributes
from darkroom.adapters.dynamodb.table import to_item
from darkroom.domain import callbacks
from darkroom.domain.callbacks import Delivery
from darkroom.domain.case import Case, job_prefix
from darkroom.domain.errors import Contention, DailyLimitReached, DeliveryNotFound, InvokeRefused, JobNotFound
from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, Totals, Window, bucket
from darkroom.domain.quota import Budget, Quota, QuotaState
from darkroom.domain.run import RunLog, WorkOrder
from darkroom.domain.shot_errors import ShotError
from darkroom.domain.snapshot import Snapshot
from darkroom.ports import RawImage, StoredQuota


@dataclass
class ManualClock:
    """Stands still until it is moved."""

    now: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@dataclass
class LoopClock:
    """Goes with the event loop's time."""

    start: int = 1_800_000_000_000

    def __call__(self) -> int:
        return self.start + round(asyncio.get_running_loop().time() * 1000)


@dataclass
class Ids:
    """id-1, id-2, ..."""

    prefix: str = "id"
    given: int = 0

    def __call__(self) -> str:
        self.given += 1
        return f"{self.prefix}-{self.given}"


class MemoryJobs:
    """See JobStore."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.cases: dict[tuple[str, str, int], Case] = {}
        self.logs: dict[tuple[str, str, int], RunLog] = {}
        self.lost_writes = 0
        """How many of the next saves somebody else wins."""

    def create(self, job: Job, case: Case) -> bool:
        if job.case_id in self.jobs:
            return False
        self.check_size(job, case)
        self.jobs[job.case_id] = job
        self.cases[_case_key(job)] = case
        return True

    def check_size(self, job: Job, case: Case) -> None:
        check_size(to_item(case_attributes(job, case)))

    def get(self, case_id: str) -> Job:
        if case_id not in self.jobs:
            raise JobNotFound("no job exists for this case")
        return self.jobs[case_id]

    def get_case(self, job: Job) -> Case:
        if _case_key(job) not in self.cases:
            raise JobNotFound("no job exists for this case")
        return self.cases[_case_key(job)]

    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        stored = self.jobs.get(job.case_id)
        if self.lost_writes and stored is not None:
            self.lost_writes -= 1
            self.jobs[job.case_id] = stored = replace(stored, version=stored.version + 1)
        if stored is None or stored.version != job.version - 1:
            raise Contention("somebody else moved the job")
        if isinstance(beside, RunLog):
            key = (beside.case_id, beside.job_id, beside.run)
            if key in self.logs and self.logs[key].sequence >= beside.sequence:
                raise Contention("somebody else moved the job")
            self.logs[key] = beside
        elif beside is not None:
            self.check_size(job, beside)
            self.cases[_case_key(job)] = beside
        self.jobs[job.case_id] = job

    def run_logs(self, job: Job) -> Sequence[RunLog]:
        runs = sorted(log.run for log in self.logs.values() if log.job_id == job.job_id)
        return [self.logs[job.case_id, job.job_id, run] for run in runs if run > job.run - 20]

    def due(self, now: int, limit: int) -> Sequence[str]:
        found = sorted((j.look_at, j.case_id) for j in self.jobs.values() if j.look_at is not None)
        return [case_id for due_at, case_id in found if due_at <= now][:limit]


@dataclass
class MemoryDailyLimit:
    """See DailyLimit."""

    limit: int = 0
    taken: dict[tuple[str, int], int] = field(default_factory=dict)

    def take(self, caller: str, now: int) -> None:
        if not self.limit:
            return
        day, into = divmod(now // 1000, 86_400)
        if self.taken.get((caller, day), 0) >= self.limit:
            raise DailyLimitReached("enough for today", seconds=86_400 - into)
        self.taken[caller, day] = self.taken.get((caller, day), 0) + 1


def _case_key(job: Job) -> tuple[str, str, int]:
    return job.case_id, job.job_id, job.revision


@dataclass
class RecordedWorkers:
    """See WorkerInvoker: remembers the orders."""

    orders: list[WorkOrder] = field(default_factory=list)
    refusing: bool = False

    def invoke(self, order: WorkOrder) -> None:
        if self.refusing:
            raise InvokeRefused("the worker could not be started: TooManyRequestsException")
        self.orders.append(order)


@dataclass
class MemoryQuota:
    """See QuotaStore."""

    accounts: dict[str, tuple[int, Quota]] = field(default_factory=dict)
    budgets: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Version, micro-USD spent, and until when it is needed."""
    lost_writes: int = 0
    """How many of the next saves somebody else wins."""
    error: ShotError | None = None
    loads: int = 0
    saves: int = 0

    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        self.loads += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        version, quota = self.accounts.get(image_model, (0, Quota()))
        kept = {name: self.budgets.get(name, (0, 0, 0)) for name in budgets}
        state = QuotaState(
            quota=quota,
            budgets=tuple(
                Budget(name=n, limit=limit, spent=kept[n][1], needed_until=kept[n][2])
                for n, limit in budgets.items()
            ),
        )
        return StoredQuota(
            image_model=image_model, state=state, versions=(version, *(v for v, _, _ in kept.values()))
        )

    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        self.saves += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        if self.lost_writes:
            self.lost_writes -= 1
            raise Contention("another worker was faster")
        quota_version, *budget_versions = stored.versions
        changed = [
            (budget, version)
            for old, budget, version in zip(stored.state.budgets, state.budgets, budget_versions, strict=True)
            if old != budget
        ]
        moved = state.quota != stored.state.quota
        if (moved and self.accounts.get(stored.image_model, (0, Quota()))[0] != quota_version) or any(
            self.budgets.get(budget.name, (0, 0, 0))[0] != version for budget, version in changed
        ):
            raise Contention("another worker was faster")
        if moved:
            self.accounts[stored.image_model] = quota_version + 1, state.quota
        for budget, version in changed:
            self.budgets[budget.name] = version + 1, budget.spent, budget.needed_until


type ReceiverResponse = Callable[[Snapshot], None]


@dataclass
class RecordedSnapshots:
    """See SnapshotChannel: remembers what arrived, and answers by script."""

    arrived: list[Snapshot] = field(default_factory=list)
    tried: list[Snapshot] = field(default_factory=list)
    seconds: float = 0.0
    answer: ReceiverResponse = lambda snapshot: None
    in_flight: int = 0
    most_in_flight: int = 0

    async def send(self, snapshot: Snapshot, url: str) -> None:
        self.tried.append(snapshot)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.seconds)
            self.answer(snapshot)
            self.arrived.append(snapshot)
        finally:
            self.in_flight -= 1


type Reply = float | ShotError | Callable[[], Awaitable[RawImage]]
"""After how many seconds a picture comes, or what is raised, or what else happens."""


@dataclass
class ScriptedProvider:
    """See ImageProvider: answers by what the prompt contains, in order, the last one for ever."""

    seconds: float = 1.0
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        self.prompts.append(prompt)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._reply(prompt)
        except asyncio.CancelledError:
            self.cancelled.append(prompt)
            raise
        finally:
            self.in_flight -= 1

    async def _reply(self, prompt: str) -> RawImage:
        script = next((r for part, r in self.replies.items() if part in prompt), [self.seconds])
        reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, ShotError):
            raise reply
        if isinstance(reply, (int, float)):
            await asyncio.sleep(reply)
            return RawImage(data=prompt.encode(), model="fake-model")
        return await reply()


@dataclass
class InstantProcessor:
    """See ImageProcessor."""

    error: ShotError | None = None
    when: list[float] = field(default_factory=list)
    facts: list[Mapping[str, str]] = field(default_factory=list)

    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        self.facts.append(facts)
        self.when.append(asyncio.get_running_loop().time())
        if self.error:
            raise self.error
        return b"jpeg of " + raw.data


@dataclass
class MemoryImages:
    """See ImageStore and ImageIndex."""

    stored_pictures: dict[str, bytes] = field(default_factory=dict)
    facts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    error: ShotError | None = None

    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        if self.error:
            raise self.error
        self.stored_pictures[key] = jpeg
        self.facts[key] = facts

    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        return self.keys(case_id, job_id)

    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        if self.error:
            raise self.error
        return [key for key in self.stored_pictures if key.startswith(job_prefix(case_id, job_id))]


@dataclass
class MemoryCounters:
    """See CounterStore."""

    counted: dict[tuple[str, int], tuple[int, Tally]] = field(default_factory=dict)

    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        if (job.job_id, job.version) in self.counted:
            return False
        self.counted[job.job_id, job.version] = at, tally
        return True

    def totals(self, window: Window, *, now: int) -> Totals:
        found = Totals()
        for at, tally in self.counted.values():
            if at - at % window.step in window.steps(now):
                found.counts.update(tally.counts)
                if tally.generation is not None:
                    found.generation[bucket(tally.generation)] += 1
                if tally.webhook is not None:
                    found.webhook[bucket(tally.webhook)] += 1
        return found


class MemoryOutbox:
    """See Outbox."""

    def __init__(self) -> None:
        self.deliveries: dict[tuple[str, str, int], Delivery] = {}
        self.gone: set[str] = set()

    def add(self, delivery: Delivery) -> bool:
        return self.deliveries.setdefault(delivery.key, delivery) is delivery

    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        if (case_id, job_id, version) not in self.deliveries:
            raise DeliveryNotFound("there is no such delivery")
        return self.deliveries[case_id, job_id, version]

    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        if self.deliveries.get(over.key) != over:
            raise Contention("somebody else tries this delivery")
        self.deliveries[delivery.key] = delivery

    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        found = sorted((d.due_at, d.key) for d in self.deliveries.values() if d.due_at is not None)
        return [key for due_at, key in found if due_at <= now][:limit]

    def of_job(self, job: Job) -> Sequence[Delivery]:
        found = [d for d in self.deliveries.values() if d.job_id == job.job_id]
        return sorted(found, key=lambda d: d.version)[-100:]

    def set_gone(self, delivery: Delivery) -> None:
        self.gone.add(delivery.job_id)

    def is_gone(self, delivery: Delivery) -> bool:
        return delivery.job_id in self.gone


@dataclass
class RecordedDeliverers:
    """See DelivererInvoker: remembers what it was asked for."""

    asked: list[tuple[str, str, int]] = field(default_factory=list)
    refusing: bool = False

    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        if self.refusing:
            raise InvokeRefused("no deliverer could be started")
        self.asked.append((case_id, job_id, version))


@dataclass
class ScriptedReceiver:
    """See CallbackSender: gives its answers in order, the last one for ever."""

    answers: list[callbacks.ReceiverResponse]
    sent: list[Delivery] = field(default_factory=list)

    def send(self, delivery: Delivery) -> callbacks.ReceiverResponse:
        self.sent.append(delivery)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
