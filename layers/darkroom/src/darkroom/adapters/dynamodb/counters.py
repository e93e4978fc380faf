"""Store counts in DynamoDB: `SHARDS` items for each five minutes, and as many for each hour.

A change is counted in one transaction with a mark of the job's version. So a change that the stream repeats
is counted once. All items expire by themselves.
"""

import zlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, override

from darkroom.adapters.dynamodb.table import DAY_S, Table, Write, put, update
from darkroom.domain.job import Job
from darkroom.domain.metrics import HOUR, STEP, Count, Tally, Totals, Window, bucket
from darkroom.ports import CounterStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNTS_PREFIX = "counts:"
COUNTED_PREFIX = "counted:"

SHARDS = 4
"""Number of items of one period. They spread the writes of many jobs over partitions of the table."""

IS_NEW = "attribute_not_exists(pk)"
"""This change was not counted before."""

_KEEP_S = {STEP: DAY_S, HOUR: 9 * DAY_S}
"""Seconds that an item is kept, by the period it counts."""

_KEEP_MARK_S = 3 * DAY_S
"""Seconds that a mark is kept: the stream repeats a change for a day at most."""

_GENERATION = "g"
_WEBHOOK = "w"
"""Prefixes of the attributes that count a histogram's bucket."""


class DynamoDBCounters(CounterStore):
    """Store what became of jobs as sums of each period."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._table = Table(client, table)

    @override
    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        now_s = at // 1000
        mark = {"pk": f"{COUNTED_PREFIX}{job.job_id}:{job.version}", "expiresAt": now_s + _KEEP_MARK_S}
        shard = zlib.crc32(job.job_id.encode()) % SHARDS
        additions = [
            _addition(_key(step, at - at % step, shard), tally, now_s + _KEEP_S[step])
            for step in (STEP, HOUR)
        ]
        return self._table.write_once([put(mark, IS_NEW), *additions], conflict="others kept counting")

    @override
    def totals(self, window: Window, *, now: int) -> Totals:
        keys = [_key(window.step, begin, shard) for begin in window.steps(now) for shard in range(SHARDS)]
        found: Counter[str] = Counter()
        for item in self._table.get_many(keys):
            found.update({name: value for name, value in item.items() if isinstance(value, int)})
        return Totals(
            counts=Counter({count: found[count.value] for count in Count if found[count.value]}),
            generation=_histogram(found, _GENERATION),
            webhook=_histogram(found, _WEBHOOK),
        )


def _key(step: int, begin: int, shard: int) -> str:
    return f"{COUNTS_PREFIX}{step // 1000}:{begin // 1000}:{shard}"


def _addition(key: str, tally: Tally, expires_at: int) -> Write:
    """Return the write that adds `tally`. It needs no condition: the mark in its transaction has one."""
    numbers = {count.value: number for count, number in tally.counts.items()}
    if tally.generation is not None:
        numbers[f"{_GENERATION}{bucket(tally.generation)}"] = 1
    if tally.webhook is not None:
        numbers[f"{_WEBHOOK}{bucket(tally.webhook)}"] = 1
    additions = ", ".join(f"#{name} :{name}" for name in numbers)
    return update(key, f"ADD {additions} SET expiresAt = :expires", expires=expires_at, **numbers)


def _histogram(found: Mapping[str, int], prefix: str) -> Counter[int]:
    """Return the counts by bucket of the attributes that begin with `prefix`."""
    return Counter({int(n[1:]): c for n, c in found.items() if n[0] == prefix and n[1:].isdigit()})
