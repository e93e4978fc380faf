"""The table under a fleet: how long each call takes, which key is written how often, what conflicts.

Conflicts happen as they do: between a load and a save other workers save. The units of each second
and key are counted; beyond what one partition can do a write is refused, and botocore tries again.
"""

import asyncio
import random
import zlib
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from darkroom.adapters.dynamodb.counters import SHARDS as COUNTER_SHARDS
from darkroom.adapters.dynamodb.items import SHARDS as DUE_SHARDS
from darkroom.domain.case import Case
from darkroom.domain.errors import Contention
from darkroom.domain.job import Job
from darkroom.domain.metrics import tally
from darkroom.domain.quota import Quota, QuotaState
from darkroom.domain.run import RunLog
from darkroom.ports import StoredQuota

from testing.fakes import MemoryJobs, MemoryQuota

WRITE_UNITS, READ_UNITS = 1_000, 3_000
"""What one partition, and so one key, can do in a second."""
READ_S, WRITE_S, QUERY_S, TRANSACTION_S, LIST_S = 0.004, 0.006, 0.006, 0.012, 0.025
BOTOCORE_TRIES = 3
CALL_CPU_S = 0.0018
"""Of botocore for one call, on one processor: threads cannot be faster."""
STREAM_SHARDS = 4
"""A table on demand begins with four partitions, and its stream with as many shards."""


@dataclass
class Keys:
    """What each key had to do, second by second."""

    written: Counter[tuple[str, int]] = field(default_factory=Counter)
    read: Counter[tuple[str, int]] = field(default_factory=Counter)
    throttled: int = 0

    def write(self, key: str, units: float) -> bool:
        """Whether the key's partition still had room for it in this second."""
        return self._use(self.written, WRITE_UNITS, key, units)

    def load(self, key: str, units: float) -> bool:
        """The same for reading."""
        return self._use(self.read, READ_UNITS, key, units)

    def hottest(self, prefix: str) -> int:
        """The most units that a key of this name was written with in a second."""
        return round(max((n for (key, _), n in self.written.items() if key.startswith(prefix)), default=0))

    def _use(self, used: Counter[tuple[str, int]], limit: int, key: str, units: float) -> bool:
        now = key, int(asyncio.get_running_loop().time())
        used[now] += units  # type: ignore[assignment]
        self.throttled += used[now] > limit
        return used[now] <= limit


@dataclass
class FleetQuota(MemoryQuota):
    """See QuotaStore: with the latency of the network, so that writers meet."""

    keys: Keys = field(default_factory=Keys)
    dice: random.Random = field(default_factory=random.Random)
    conflicts: int = 0
    biggest: int = 0
    """Bytes of the largest item of a quota."""

    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        """See QuotaStore."""
        await self._network(READ_S)
        size = quota_bytes(self.accounts.get(image_model, (0, Quota()))[1])
        self.biggest = max(self.biggest, size)
        await self._until(lambda: self.keys.load(f"quota:{image_model}", -(-size // 4096)))
        return await super().load(image_model, budgets)

    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        """See QuotaStore."""
        await self._network(WRITE_S)
        factor = 2 if state.budgets else 1  # in a transaction everything is written twice
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
        for tried in range(BOTOCORE_TRIES + 1):
            if has_room():  # type: ignore[operator]
                return
            await asyncio.sleep(self.dice.random() * 0.05 * 2**tried)
        raise Contention("other workers were faster")


class OutOfTime(BaseException):
    """Lambda has ended the process: no code of ours catches it."""


class FleetJobs(MemoryJobs):
    """See JobStore: for calls that take no time, and say how much they would have taken."""

    def __init__(self, keys: Keys) -> None:
        super().__init__()
        self.keys = keys
        self.took = 0.0
        """Seconds, added up since whoever calls has set it back."""
        self.limit = 0.0
        """When the caller's time is over."""
        self.at_once = 1
        """How many threads make calls."""
        self.moved = 0
        """Versions stored."""
        self.changes = [deque[tuple[float, bool]]() for _ in range(STREAM_SHARDS)]
        """What each shard of the stream holds: when, and whether the observer will count it."""

    def spend(self, seconds: float) -> None:
        """A call takes so long; raises OutOfTime when the caller is not there any more to see it."""
        self.took += max(seconds / self.at_once, CALL_CPU_S)
        if self.took > self.limit:
            raise OutOfTime

    def create(self, job: Job, case: Case) -> bool:
        """See JobStore."""
        self.spend(TRANSACTION_S)
        created = super().create(job, case)
        if created:
            self._changed(None, job)
        return created

    def get(self, case_id: str) -> Job:
        """See JobStore."""
        self.spend(READ_S)
        return super().get(case_id)

    def get_case(self, job: Job) -> Case:
        """See JobStore."""
        self.spend(READ_S)
        return super().get_case(job)

    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        """See JobStore. What runs tell is not kept: nobody reads it here."""
        self.spend(WRITE_S if beside is None else TRANSACTION_S)
        old = self.jobs.get(job.case_id)
        super().save(job, None if isinstance(beside, RunLog) else beside)
        self._changed(old, job)

    def due(self, now: int, limit: int) -> Sequence[str]:
        """See JobStore."""
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
    """The size of a quota's item, by DynamoDB's rules for numbers and lists."""
    return 140 + sum(_number(at) + _number(count) + 2 for at, count in quota.starts)


def _number(value: int) -> int:
    return (len(str(value).rstrip("0")) + 1) // 2 + 1
