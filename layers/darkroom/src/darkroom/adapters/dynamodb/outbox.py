"""Deliveries in DynamoDB: one item each, in the index of what is due as long as it is.

The index is the jobs' own; deliveries have shards of their own there, so that neither hides the other.
"""

import heapq
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from darkroom.adapters.dynamodb.batch_read import read_items
from darkroom.adapters.dynamodb.jobs import DUE_INDEX
from darkroom.domain.callbacks import Delivery, DeliveryState
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "callback:"
SHARDS = 4
VERSIONS = 100
"""Of so many versions of a job, the latest, deliveries are listed: as many as one read can name."""

IS_NEW = "attribute_not_exists(pk)"
"""Nobody has heard of this change before."""

IS_AS_READ = "attempts = :attempts AND #state = :state AND changed = :changed"
"""Nobody has tried it since."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class DynamoDBOutbox:
    """See Outbox."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        keep_days: int = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._keep_s = keep_days * 86_400
        self._sleep = sleep

    def add(self, delivery: Delivery) -> bool:
        """See Outbox."""
        try:
            self._client.put_item(
                TableName=self._table, Item=self._item(delivery), ConditionExpression=IS_NEW
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        """See Outbox."""
        item = self._read(_key(case_id, job_id, version))
        if item is None:
            raise DeliveryNotFound("there is no such delivery")
        return _to_delivery(item)

    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        """See Outbox."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=self._item(delivery),
                ConditionExpression=IS_AS_READ,
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={
                    ":attempts": {"N": str(over.attempts)},
                    ":state": {"S": over.state.value},
                    ":changed": {"N": str(over.due_at or 0)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise Contention("somebody else tries this delivery") from error

    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        """See Outbox."""
        shards = [self._due_in_shard(shard, now, limit) for shard in range(SHARDS)]
        return [key for _, key in heapq.nsmallest(limit, chain.from_iterable(shards))]

    def _due_in_shard(self, shard: int, now: int, limit: int) -> list[tuple[int, tuple[str, str, int]]]:
        page = self._client.query(
            TableName=self._table,
            IndexName=DUE_INDEX,
            KeyConditionExpression="dueShard = :shard AND dueAt <= :now",
            ExpressionAttributeValues={":shard": {"S": _shard(shard)}, ":now": {"N": str(now)}},
            Limit=limit,
        )
        return [(int(i["dueAt"]["N"]), _parts(i["pk"]["S"])) for i in page["Items"]]

    def of_job(self, job: Job) -> Sequence[Delivery]:
        """See Outbox."""
        versions = range(max(1, job.version - VERSIONS + 1), job.version + 1)
        keys = [_key(job.case_id, job.job_id, version) for version in versions]
        found = read_items(self._client, self._table, keys, self._sleep)
        return sorted((_to_delivery(_plain(item)) for item in found), key=lambda one: one.version)

    def set_gone(self, delivery: Delivery) -> None:
        """See Outbox. Nothing else is ever stored there, so whoever comes second changes nothing."""
        item = {"pk": {"S": _gone(delivery)}, "expiresAt": {"N": str(self._expires_at(delivery))}}
        try:
            self._client.put_item(TableName=self._table, Item=item, ConditionExpression=IS_NEW)
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def is_gone(self, delivery: Delivery) -> bool:
        """See Outbox."""
        return self._read(_gone(delivery)) is not None

    def _expires_at(self, delivery: Delivery) -> int:
        return delivery.created_at // 1000 + self._keep_s

    def _read(self, key: str) -> dict[str, Any] | None:
        answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
        return _plain(answer["Item"]) if "Item" in answer else None

    def _item(self, delivery: Delivery) -> dict[str, Any]:
        due = delivery.due_at is not None
        attributes = {
            "pk": _key(*delivery.key),
            "caseId": delivery.case_id,
            "jobId": delivery.job_id,
            "version": delivery.version,
            "event": delivery.event.value,
            "url": delivery.url,
            "caller": delivery.caller,
            "body": delivery.body,
            "createdAt": delivery.created_at,
            "changed": delivery.due_at or 0,
            "dueAt": delivery.due_at,
            "dueShard": _shard(zlib.crc32(delivery.job_id.encode()) % SHARDS) if due else None,
            "state": delivery.state.value,
            "attempts": delivery.attempts,
            "lastStatus": delivery.last_status,
            "lastError": delivery.last_error,
            "milliseconds": delivery.milliseconds,
            "expiresAt": self._expires_at(delivery),
        }
        return {name: _serialize(value) for name, value in attributes.items() if value is not None}


def _shard(number: int) -> str:
    return f"callback-{number}"


def _key(case_id: str, job_id: str, version: int) -> str:
    return f"{PREFIX}{case_id}:{job_id}:{version}"


def _gone(delivery: Delivery) -> str:
    return f"{PREFIX}{delivery.case_id}:{delivery.job_id}:gone"


def _parts(key: str) -> tuple[str, str, int]:
    _, case_id, job_id, version = key.split(":")
    return case_id, job_id, int(version)


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _to_delivery(item: Mapping[str, Any]) -> Delivery:
    def number(name: str) -> int | None:
        return int(item[name]) if name in item else None

    return Delivery(
        case_id=item["caseId"],
        job_id=item["jobId"],
        version=int(item["version"]),
        event=CallbackEvent(item["event"]),
        url=item["url"],
        caller=item["caller"],
        body=item["body"],
        created_at=int(item["createdAt"]),
        due_at=number("dueAt"),
        state=DeliveryState(item["state"]),
        attempts=int(item["attempts"]),
        last_status=number("lastStatus"),
        last_error=item.get("lastError"),
        milliseconds=number("milliseconds"),
    )
