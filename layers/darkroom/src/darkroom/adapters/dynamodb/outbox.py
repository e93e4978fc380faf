"""Store deliveries of callbacks in DynamoDB: one item each, in the index while another attempt is planned.

Deliveries share the index with jobs. They have shards of their own there, so that neither hides the other.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, override

from darkroom.adapters.dynamodb.table import OF_EVERY_ITEM, Item, Table, put, reading, unknown
from darkroom.domain.callbacks import Delivery, DeliveryState
from darkroom.domain.errors import Contention, DeliveryNotFound
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.domain.timing import KEEP_DAYS
from darkroom.domain.words import word
from darkroom.ports import Outbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "callback:"

SHARDS = 4
"""Shards of deliveries in the index of what is due."""

VERSIONS = 100
"""Number of a job's latest versions whose deliveries are listed: as many as one read can name."""

IS_NEW = "attribute_not_exists(pk)"
"""Nobody has stored a delivery of this version before."""

IS_AS_READ = "attempts = :attempts AND #state = :state AND plannedAt = :planned"
"""Nobody has attempted the delivery since it was read."""


class DynamoDBOutbox(Outbox):
    """Store deliveries, and which jobs' receivers are gone."""

    def __init__(self, client: "DynamoDBClient", table: str, keep_days: int = KEEP_DAYS) -> None:
        self._table = Table(client, table, keep_days=keep_days)

    @override
    def add(self, delivery: Delivery) -> bool:
        return self._table.write(put(self._item(delivery), IS_NEW))

    @override
    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        item = self._table.get(_key(case_id, job_id, version))
        if item is None:
            raise DeliveryNotFound("there is no such delivery")
        return _to_delivery(item)

    @override
    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        write = put(
            self._item(delivery),
            IS_AS_READ,
            attempts=over.attempts,
            state=str(over.state),
            planned=over.due_at or 0,
        )
        if not self._table.write(write):
            raise Contention("somebody else tries this delivery")

    @override
    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        return [_parts(key) for key in self._table.due(map(_shard, range(SHARDS)), now, limit)]

    @override
    def of_job(self, job: Job) -> Sequence[Delivery]:
        versions = range(max(1, job.version - VERSIONS + 1), job.version + 1)
        found = self._table.get_many(_key(job.case_id, job.job_id, version) for version in versions)
        return sorted(map(_to_delivery, found), key=lambda delivery: delivery.version)

    @override
    def set_gone(self, delivery: Delivery) -> None:
        # A mark that exists already says the same, so it does not matter whether this one is written.
        self._table.write(put({"pk": _gone(delivery), "expiresAt": self._expires_at(delivery)}, IS_NEW))

    @override
    def is_gone(self, delivery: Delivery) -> bool:
        return self._table.get(_gone(delivery)) is not None

    def _expires_at(self, delivery: Delivery) -> int:
        return self._table.expires_at(delivery.created_at)

    def _item(self, delivery: Delivery) -> Item:
        return {**delivery.unknown, **self._known(delivery)}

    def _known(self, delivery: Delivery) -> Item:
        is_due = delivery.due_at is not None
        return {
            "pk": _key(*delivery.key),
            "caseId": delivery.case_id,
            "jobId": delivery.job_id,
            "version": delivery.version,
            "event": str(delivery.event),
            "url": delivery.url,
            "caller": delivery.caller,
            "body": delivery.body,
            "createdAt": delivery.created_at,
            "plannedAt": delivery.due_at or 0,
            "dueAt": delivery.due_at,
            "dueShard": _shard(zlib.crc32(delivery.job_id.encode()) % SHARDS) if is_due else None,
            "state": str(delivery.state),
            "attempts": delivery.attempts,
            "lastStatus": delivery.last_status,
            "lastError": delivery.last_error,
            "milliseconds": delivery.milliseconds,
            "expiresAt": self._expires_at(delivery),
        }


_KNOWN = (
    *("caseId", "jobId", "event", "url", "caller", "body", "createdAt", "plannedAt", "dueAt", "dueShard"),
    *("state", "attempts", "lastStatus", "lastError", "milliseconds"),
)
"""Names of the attributes of a delivery."""


def _shard(number: int) -> str:
    return f"callback-{number}"


def _key(case_id: str, job_id: str, version: int) -> str:
    return f"{PREFIX}{case_id}:{job_id}:{version}"


def _gone(delivery: Delivery) -> str:
    return f"{PREFIX}{delivery.case_id}:{delivery.job_id}:gone"


def _parts(key: str) -> tuple[str, str, int]:
    _, case_id, job_id, version = key.split(":")
    return case_id, job_id, int(version)


def _to_delivery(item: Mapping[str, Any]) -> Delivery:
    with reading(item["pk"]):
        return _readable(item)


def _readable(item: Mapping[str, Any]) -> Delivery:
    return Delivery(
        case_id=item["caseId"],
        job_id=item["jobId"],
        version=item["version"],
        event=word(CallbackEvent, item["event"]),
        url=item["url"],
        caller=item["caller"],
        body=item["body"],
        created_at=item["createdAt"],
        due_at=item.get("dueAt"),
        state=word(DeliveryState, item["state"]),
        attempts=item["attempts"],
        last_status=item.get("lastStatus"),
        last_error=item.get("lastError"),
        milliseconds=item.get("milliseconds"),
        unknown=unknown(item, (*_KNOWN, *OF_EVERY_ITEM)),
    )
