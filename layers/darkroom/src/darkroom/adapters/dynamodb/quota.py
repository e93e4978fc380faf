"""Quotas and budgets in DynamoDB, beside the jobs: one item a image_model, one a budget.

An state with budgets is read and written by transactions, so money is reserved by the very write
that hands out a start. A transaction repeated by botocore carries the same token and counts once.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.errors import Contention, StorageFailed
from darkroom.domain.quota import Budget, Quota, QuotaState
from darkroom.ports import StoredQuota

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FOLLOWS_THE_STORED_ONE = "attribute_not_exists(pk) OR version = :previous"
"""Nobody has taken a start or a dollar since we looked."""

QUOTA_PREFIX = "quota:"
BUDGET_PREFIX = "budget:"
"""Both are in the template: the worker may touch items of these names only."""

_MARGIN_S = 86_400
"""A job may end a little after its deadline."""
_LOST = {"ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException"}
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class DynamoDBQuota:
    """See QuotaStore."""

    def __init__(self, client: "DynamoDBClient", table: str, keep_days: int = 30) -> None:
        self._client = client
        self._table = table
        self._keep_s = keep_days * 86_400

    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        """See QuotaStore."""
        keys = [QUOTA_PREFIX + image_model, *(BUDGET_PREFIX + name for name in budgets)]
        try:
            first, *others = await asyncio.to_thread(self._read, keys)
        except (BotoCoreError, ClientError) as error:
            raise _failed(error) from error
        state = QuotaState(
            quota=_to_quota(first),
            budgets=tuple(
                Budget(
                    name=name,
                    limit=limit,
                    spent=int(item.get("spent", 0)),
                    needed_until=int(item.get("neededUntil", 0)),
                )
                for (name, limit), item in zip(budgets.items(), others, strict=True)
            ),
        )
        versions = tuple(int(item.get("version", 0)) for item in (first, *others))
        return StoredQuota(image_model=image_model, state=state, versions=versions)

    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        """See QuotaStore."""
        quota_version, *budget_versions = stored.versions
        puts = []
        if state.quota != stored.state.quota:
            puts.append(self._put(QUOTA_PREFIX + stored.image_model, _attributes(state.quota), quota_version))
        before = stored.state.budgets
        for budget, old, version in zip(state.budgets, before, budget_versions, strict=True):
            if budget != old:
                puts.append(self._put(BUDGET_PREFIX + budget.name, self._budget(budget), version))
        if not puts:
            return
        try:
            await asyncio.to_thread(self._write, puts)
        except (BotoCoreError, ClientError) as error:
            raise _failed(error) from error

    def _budget(self, budget: Budget) -> dict[str, int]:
        """A budget is kept as long as its job, which is kept for some days after it has ended."""
        expires_at = budget.needed_until // 1000 + self._keep_s + _MARGIN_S
        return {"spent": budget.spent, "neededUntil": budget.needed_until, "expiresAt": expires_at}

    def _read(self, keys: list[str]) -> list[dict[str, Any]]:
        if len(keys) == 1:
            [key] = keys
            answer = self._client.get_item(TableName=self._table, Key={"pk": {"S": key}}, ConsistentRead=True)
            return [_plain(answer.get("Item", {}))]
        gets: Any = [{"Get": {"TableName": self._table, "Key": {"pk": {"S": key}}}} for key in keys]
        found = self._client.transact_get_items(TransactItems=gets)["Responses"]
        return [_plain(response.get("Item", {})) for response in found]

    def _write(self, puts: list[Any]) -> None:
        if len(puts) == 1 and puts[0]["Item"]["pk"]["S"].startswith(QUOTA_PREFIX):
            self._client.put_item(**puts[0])
        else:
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])

    def _put(self, key: str, attributes: Mapping[str, Any], version: int) -> dict[str, Any]:
        item = {"pk": key, "version": version + 1, **attributes}
        return {
            "TableName": self._table,
            "Item": {name: _serialize(value) for name, value in item.items()},
            "ConditionExpression": FOLLOWS_THE_STORED_ONE,
            "ExpressionAttributeValues": {":previous": {"N": str(version)}},
        }


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _attributes(quota: Quota) -> dict[str, Any]:
    return {
        "starts": [number for start in quota.starts for number in start],
        "lastAt": quota.last_at,
        "pausedUntil": quota.paused_until,
        "dayUntil": quota.day_until,
        "dayStarts": quota.day_starts,
        "queueUntil": quota.queue_until,
    }


def _to_quota(item: Mapping[str, Any]) -> Quota:
    starts = [int(number) for number in item.get("starts", [])]
    return Quota(
        starts=tuple(zip(starts[::2], starts[1::2], strict=True)),
        last_at=int(item.get("lastAt", 0)),
        paused_until=int(item.get("pausedUntil", 0)),
        day_until=int(item.get("dayUntil", 0)),
        day_starts=int(item.get("dayStarts", 0)),
        queue_until=int(item.get("queueUntil", 0)),
    )


def _failed(error: BotoCoreError | ClientError) -> Contention | StorageFailed:
    code = type(error).__name__
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", code)
    if code in _LOST:
        return Contention("other workers were faster")
    return StorageFailed(f"the quota cannot be reached: {code}")
