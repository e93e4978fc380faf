"""The table that all adapters of this folder share: its items, its writes and its index of what is due.

An item expires by itself, by the attribute `expiresAt`. It is in the index as long as it has `dueShard` and
`dueAt`. Several shards spread the writes of many items over partitions of the index.
"""

import heapq
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from darkroom.domain.errors import Busy, Contention, Unreadable
from darkroom.domain.timing import KEEP_DAYS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE_INDEX = "due"

DAY_S = 86_400

READ_AT_ONCE = 100
"""Items that one batch read can name."""

READ_ATTEMPTS = 5
FIRST_WAIT_S = 0.05
"""Wait before the second attempt of a read, in seconds; each further wait is twice as long."""

WRITE_ATTEMPTS = 5
"""Attempts of a transaction that conflicts with others."""

CONDITION_FAILED = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"
"""Reasons for which DynamoDB cancels a transaction: a condition does not hold; another one writes an item."""

type Item = dict[str, Any]
"""The attributes of an item by name, with values of Python."""

OF_EVERY_ITEM = ("pk", "expiresAt", "version")
"""Attributes that each adapter sets itself."""

type Write = Mapping[str, Mapping[str, Any]]
"""One write in the form of a transaction: `{"Put": request}` or `{"Update": request}`, without the table."""


class _WholeNumbers(TypeDeserializer):
    """Read whole numbers as int. This release stores no others; those of a newer one are read as Decimal."""

    def _deserialize_n(self, value: str) -> int | Decimal:
        try:
            return int(value)
        except ValueError:
            return Decimal(value)


_serialize = TypeSerializer().serialize
_deserialize = _WholeNumbers().deserialize


def to_item(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item in DynamoDB's types. Attributes that are None are left out."""
    return {name: _serialize(value) for name, value in attributes.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> Item:
    """Return an item that DynamoDB sent with values of Python."""
    return {name: _deserialize(value) for name, value in item.items()}


def unknown(item: Mapping[str, Any], known: Iterable[str]) -> Item:
    """Return the attributes of an item that are not `known`: a newer release has written them."""
    names = frozenset(known)
    return {name: value for name, value in item.items() if name not in names}


@contextmanager
def reading(key: str) -> Iterator[None]:
    """Read a record in the block; raise Unreadable when it does not have the form that this release knows."""
    try:
        yield
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise Unreadable(f"the record {key} cannot be read: {type(error).__name__}") from error


def put(attributes: Mapping[str, Any], condition: str, /, **values: Any) -> Write:
    """Return the write that stores an item as a whole where `condition` holds.

    In the condition `:name` stands for the value of that name, and `#name` for the attribute of that name.
    """
    return {"Put": {"Item": to_item(attributes), **_conditional(condition, condition, values)}}


def update(key: str, expression: str, condition: str | None = None, /, **values: Any) -> Write:
    """Return the write that changes some attributes of an item. Names and values are as those of `put`."""
    both = f"{expression} {condition or ''}"
    request = {"Key": _key(key), "UpdateExpression": expression, **_conditional(condition, both, values)}
    return {"Update": request}


def _conditional(condition: str | None, expressions: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition, and what the names and values in `expressions` stand for."""
    parts: dict[str, Any] = {}
    if condition is not None:
        parts["ConditionExpression"] = condition
    if names := re.findall(r"#\w+", expressions):
        parts["ExpressionAttributeNames"] = {name: name[1:] for name in names}
    if values:
        parts["ExpressionAttributeValues"] = {f":{name}": _serialize(v) for name, v in values.items()}
    return parts


def _key(key: str) -> dict[str, Any]:
    return {"pk": {"S": key}}


class Table:
    """Read and write items. The client raises Busy while the table has no capacity."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        *,
        keep_days: int = KEEP_DAYS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._name = name
        self._keep_s = keep_days * DAY_S
        self._sleep = sleep

    def expires_at(self, last_needed: int) -> int:
        """Return the `expiresAt` (epoch seconds) of an item that is kept after `last_needed` (epoch ms)."""
        return last_needed // 1000 + self._keep_s

    def get(self, key: str) -> Item | None:
        """Return the latest version of an item; None when there is none."""
        response = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        return from_item(response["Item"]) if "Item" in response else None

    def get_together(self, keys: Iterable[str]) -> list[Item]:
        """Return the items at `keys` as they were at one moment; an empty one where there is none."""
        gets: Any = [{"Get": {"TableName": self._name, "Key": _key(key)}} for key in keys]
        found = self._client.transact_get_items(TransactItems=gets)["Responses"]
        return [from_item(response.get("Item", {})) for response in found]

    def get_many(self, keys: Iterable[str]) -> Iterator[Item]:
        """Yield the items that exist at `keys`, in any order.

        Read again, after a wait, what the table had no capacity for; raise Busy when it never has.
        """
        for some in batched(keys, READ_AT_ONCE, strict=False):
            wanted: Any = {self._name: {"Keys": [_key(key) for key in some]}}
            for attempt in range(READ_ATTEMPTS):
                if attempt:
                    self._sleep(FIRST_WAIT_S * 2 ** (attempt - 1))
                response = self._client.batch_get_item(RequestItems=wanted)
                yield from map(from_item, response["Responses"].get(self._name, []))
                wanted = response.get("UnprocessedKeys")
                if not wanted:
                    break
            else:
                raise Busy("the table is busy; send the request again")

    def due(self, shards: Iterable[str], now: int, limit: int) -> list[str]:
        """Return the keys of at most `limit` items with `dueAt` <= `now`, the longest overdue first.

        Only the index is read: at most `limit` entries of each shard.
        """
        found = [entry for shard in shards for entry in self._due_in(shard, now, limit)]
        return [key for _, key in heapq.nsmallest(limit, found)]

    def _due_in(self, shard: str, now: int, limit: int) -> Iterator[tuple[int, str]]:
        page = self._client.query(
            TableName=self._name,
            IndexName=DUE_INDEX,
            KeyConditionExpression="dueShard = :shard AND dueAt <= :now",
            ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"N": str(now)}},
            Limit=limit,
        )
        for entry in map(from_item, page["Items"]):
            yield entry["dueAt"], entry["pk"]

    def write(self, write: Write) -> bool:
        """Write one item; return False when its condition does not hold or a transaction is writing it."""
        [(kind, request)] = write.items()
        send: Callable[..., Any] = self._client.put_item if kind == "Put" else self._client.update_item
        exceptions = self._client.exceptions
        try:
            send(TableName=self._name, **request)
        except (exceptions.ConditionalCheckFailedException, exceptions.TransactionConflictException):
            return False
        return True

    def write_together(self, writes: Iterable[Write]) -> set[str]:
        """Write all or nothing. Return the reasons why nothing was written; an empty set means success.

        The reasons are CONDITION_FAILED and CONFLICT.
        """
        items: Any = [
            {kind: {"TableName": self._name, **request}}
            for write in writes
            for kind, request in write.items()
        ]
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as error:
            codes = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
            refused = codes & {CONDITION_FAILED, CONFLICT}
            if not refused:
                raise
            return refused
        return set()

    def write_once(self, writes: Sequence[Write], *, conflict: str) -> bool:
        """Write all or nothing; return False when a condition does not hold.

        Try again when another transaction writes the same items: the items of that one may then fail the
        condition, or this one succeeds. Raise Contention with the text `conflict` when that goes on.
        """
        for _ in range(WRITE_ATTEMPTS):
            refused = self.write_together(writes)
            if not refused:
                return True
            if CONDITION_FAILED in refused:
                return False
        raise Contention(conflict)
