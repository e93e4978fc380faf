"""Simulate the table of a fleet: the duration of each call, the load on each key, conflicts.

Conflicts arise as in reality: other workers save between a load and a save. The units of each second and key
are counted. Above the limit of a partition a write is refused, and botocore repeats it.
"""

import asyncio
import random
import zlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import override

from darkroom.adapters.dynamodb.counters import SHARDS as COUNTER_SHARDS
from darkroom.adapters.dynamodb.items import SHARDS as DUE_SHARDS
from darkroom.domain.case import Case
from darkroom.domain.errors import Contention
from darkroom.domain.job import Job
from darkroom.domain.metrics import tally
from darkroom.domain.quota import Quota, QuotaState
from darkroom.domain.run import RunLog
from darkroom.ports import StoredQuota

from testing.fakes.jobs import MemoryJobs
from testing.fakes.quota import MemoryQuota

WRITE_UNITS, READ_UNITS = 1_000, 3_000
"""Units a second of one partition, and so of one key."""
READ_S, WRITE_S, QUERY_S, TRANSACTION_S, LIST_S = 0.004, 0.006, 0.006, 0.012, 0.025
BOTOCORE_RETRIES = 3
CALL_CPU_S = 0.0018
"""CPU time of botocore for one call in seconds: on one processor, threads do not reduce it."""
STREAM_SHARDS = 4
"""An on-demand table begins with four partitions, and its stream with four shards."""


@dataclass
class Keys:
    """The units of each key and second."""

    written: Counter[tuple[str, int]] = field(default_factory=Counter)
    read: Counter[tuple[str, int]] = field(default_factory=Counter)
    throttled: int = 0

    def write(self, key: str, units: float) -> bool:
        """Count written units; return True if the key's partition allows them in this second."""
        return self._use(self.written, WRITE_UNITS, key, units)

    def load(self, key: str, units: float) -> bool:
        """Count read units; return True if the key's partition allows them in this second."""
        return self._use(self.read, READ_UNITS, key, units)

    def hottest(self, prefix: str) -> int:
        """Return the largest number of units written in a second to a key with this prefix."""
        return round(max((n for (key, _), n in self.written.items() if key.startswith(prefix)), default=0))

    def _use(self, used: Counter[tuple[str, int]], limit: int, key: str, units: float) -> bool:
        now = key, int(asyncio.get_running_loop().time())
        used[now] += units  # type: ignore[assignment]
        self.throttled += used[now] > limit
        return used[now] <= limit


@dataclass
class FleetQuota(MemoryQuota):
    """A QuotaStore with the latency of the network, so that writers conflict."""

    keys: Keys = field(default_factory=Keys)
    dice: random.Random = field(default_factory=random.Random)
    conflicts: int = 0
    biggest: int = 0
    """Bytes of the largest item of a quota."""

    @override
    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        await self._network(READ_S)
        size = quota_bytes(self.quotas.get(image_model, (0, Quota()))[1])
        self.biggest = max(self.biggest, size)
        await self._until(lambda: self.keys.load(f"quota:{image_model}", -(-size // 4096)))
        return await super().load(image_model, budgets)

    @override
    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        await self._network(WRITE_S)
        factor = 2 if state.budgets else 1  # a transaction costs twice the units
        units = factor * -(-quota_bytes(state.quota) // 1024)
        if state.quota != stored.state.quota:
            await self._until(lambda: self.keys.write(f"quota:{stored.image_model}", units))
        for budget in state.budgets:
            if budget.name.startswith("day:"):
                await self._until(lambda: self.keys.write("budget:day", factor))
        try:
            await super().save(stored, state)
        except Contention:
            self.conflicts += 1
            raise

    async def _network(self, median_s: float) -> None:
        await asyncio.sleep(self.dice.lognormvariate(0, 0.3) * median_s)

    async def _until(self, has_room: object) -> None:
        for attempt in range(BOTOCORE_RETRIES + 1):
            if has_room():  # type: ignore[operator]
                return
            await asyncio.sleep(self.dice.random() * 0.05 * 2**attempt)
        raise Contention("other workers were faster")


class OutOfTime(BaseException):
    """The end of the process by Lambda, so no code of ours may catch this."""


class FleetJobs(MemoryJobs):
    """A JobStore whose calls return at once and add up their simulated duration."""

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self.keys = keys
        self.took = 0.0
        """Simulated duration in seconds since the caller reset it."""
        self.limit = 0.0
        """Time limit of the caller in seconds."""
        self.at_once = 1
        """Number of threads that make calls."""
        self.moved = 0
        """Number of stored versions."""
        self.changes = [deque[tuple[float, bool]]() for _ in range(STREAM_SHARDS)]
        """Changes in each shard of the stream: the time, and True if the observer will count it."""

    def spend(self, seconds: float) -> None:
        """Add the duration of a call; raise OutOfTime when the caller's time is over."""
        self.took += max(seconds / self.at_once, CALL_CPU_S)
        if self.took > self.limit:
            raise OutOfTime

    @override
    def create(self, job: Job, case: Case) -> bool:
        self.spend(TRANSACTION_S)
        created = super().create(job, case)
        if created:
            self._changed(None, job)
        return created

    @override
    def get(self, case_id: str) -> Job:
        self.spend(READ_S)
        return super().get(case_id)

    @override
    def get_case(self, job: Job) -> Case:
        self.spend(READ_S)
        return super().get_case(job)

    @override
    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        """See JobStore. Run logs are not kept, since nothing reads them here."""
        self.spend(WRITE_S if beside is None else TRANSACTION_S)
        old = self.jobs.get(job.case_id)
        super().save(job, None if isinstance(beside, RunLog) else beside)
        self._changed(old, job)

    @override
    def due(self, now: int, limit: int) -> Sequence[str]:
        self.spend(QUERY_S * DUE_SHARDS)
        return super().due(now, limit)

    def _changed(self, old: Job | None, new: Job) -> None:
        before = old.due_at if old else None
        if before != new.due_at:
            shard = zlib.crc32(new.case_id.encode()) % DUE_SHARDS
            self.keys.write(f"due:{shard}", (before is not None) + (new.due_at is not None))
        counted = not tally(old, new).is_empty
        if counted:
            self.keys.write(f"counts:{zlib.crc32(new.job_id.encode()) % COUNTER_SHARDS}", 2)
        self.moved += 1
        shard = zlib.crc32(new.job_id.encode()) % STREAM_SHARDS
        self.changes[shard].append((asyncio.get_running_loop().time(), counted))


def quota_bytes(quota: Quota) -> int:
    """Return the size of a quota's item, by DynamoDB's rules for numbers and lists."""
    return 140 + sum(_number(at) + _number(count) + 2 for at, count in quota.starts)


def _number(value: int) -> int:
    return (len(str(value).rstrip("0")) + 1) // 2 + 1
