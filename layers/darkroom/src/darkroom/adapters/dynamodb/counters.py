"""Counts in DynamoDB: items of five minutes and of hours, each in shards, and marks of what is counted.

A change is counted in one transaction with its mark, so it counts once however often the stream
repeats it. All items expire by themselves.
"""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from darkroom.adapters.dynamodb.batch_read import read_items
from darkroom.domain.errors import Contention
from darkroom.domain.job import Job
from darkroom.domain.metrics import HOUR, STEP, Count, Tally, Totals, Window, bucket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNTS_PREFIX, COUNTED_PREFIX = "counts:", "counted:"
SHARDS = 4
IS_NEW = "attribute_not_exists(pk)"
"""This change was not counted before."""

_DAY_S = 86_400
_KEPT_S = {STEP: _DAY_S, HOUR: 9 * _DAY_S}
_COUNTED_KEPT_S = 3 * _DAY_S
"""The stream repeats for a day at most."""
_TRIES = 5
_GENERATION, _WEBHOOK = "g", "w"


class DynamoDBCounters:
    """See CounterStore."""

    def __init__(
        self, client: "DynamoDBClient", table: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        """See CounterStore. Two that count into the same items conflict: one tries again."""
        for _ in range(_TRIES):
            refused = self._transact(job, tally, at)
            if not refused:
                return True
            if "ConditionalCheckFailed" in refused:
                return False
        raise Contention("others kept counting")

    def _transact(self, job: Job, tally: Tally, at: int) -> set[str]:
        """Write all or nothing; why it was refused, empty when it was not."""
        now_s = at // 1000
        items = [self._mark(f"{COUNTED_PREFIX}{job.job_id}:{job.version}", now_s + _COUNTED_KEPT_S)]
        shard = zlib.crc32(job.job_id.encode()) % SHARDS
        for step in (STEP, HOUR):
            items.append(self._addition(_key(step, at - at % step, shard), tally, now_s + _KEPT_S[step]))
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as error:
            codes = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
            refused = codes & {"ConditionalCheckFailed", "TransactionConflict"}
            if not refused:
                raise
            return refused
        return set()

    def _mark(self, key: str, expires_s: int) -> Any:
        item = {"pk": {"S": key}, "expiresAt": {"N": str(expires_s)}}
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": IS_NEW}}

    def _addition(self, key: str, tally: Tally, expires_s: int) -> Any:
        """Unconditional by itself: the mark in the same transaction is its condition."""
        numbers = {count.value: number for count, number in tally.counts.items()}
        if tally.generation is not None:
            numbers[f"{_GENERATION}{bucket(tally.generation)}"] = 1
        if tally.webhook is not None:
            numbers[f"{_WEBHOOK}{bucket(tally.webhook)}"] = 1
        additions = ", ".join(f"#{name} :{name}" for name in numbers)
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"pk": {"S": key}},
                "UpdateExpression": f"ADD {additions} SET expiresAt = :expires",
                "ExpressionAttributeNames": {f"#{name}": name for name in numbers},
                "ExpressionAttributeValues": {
                    ":expires": {"N": str(expires_s)},
                    **{f":{name}": {"N": str(number)} for name, number in numbers.items()},
                },
            }
        }

    def totals(self, window: Window, *, now: int) -> Totals:
        """See CounterStore."""
        keys = [_key(window.step, begin, shard) for begin in window.buckets(now) for shard in range(SHARDS)]
        found: Counter[str] = Counter()
        for item in read_items(self._client, self._table, keys, self._sleep):
            found.update({name: int(value["N"]) for name, value in item.items() if "N" in value})
        return Totals(
            counts=Counter({count: found[count.value] for count in Count if found[count.value]}),
            generation=_histogram(found, _GENERATION),
            webhook=_histogram(found, _WEBHOOK),
        )


def _key(step: int, begin: int, shard: int) -> str:
    return f"{COUNTS_PREFIX}{step // 1000}:{begin // 1000}:{shard}"


def _histogram(found: Mapping[str, int], prefix: str) -> Counter[int]:
    return Counter({int(n[1:]): c for n, c in found.items() if n[0] == prefix and n[1:].isdigit()})
