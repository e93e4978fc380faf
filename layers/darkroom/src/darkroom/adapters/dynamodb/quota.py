"""Store quotas and budgets in DynamoDB, beside the jobs: one item for each image model, one for each budget.

A quota and its budgets are read in one transaction. A change of both is written in one transaction, so that
money is reserved by the same write that takes a start from the quota. A change of the quota alone, such as a
pause, writes one item. A transaction that botocore repeats carries the same token and counts once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, override

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.adapters.dynamodb.table import DAY_S, OF_EVERY_ITEM, Item, Table, Write, put, unknown
from darkroom.domain.errors import Contention
from darkroom.domain.quota import Budget, Quota, QuotaState
from darkroom.domain.shot_errors import StorageFailed
from darkroom.domain.timing import KEEP_DAYS
from darkroom.ports import QuotaStore, StoredQuota

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

VERSION_MATCHES = "attribute_not_exists(pk) OR version = :previous"
"""Nobody has taken a start or reserved money since the state was read."""

QUOTA_PREFIX = "quota:"
BUDGET_PREFIX = "budget:"
"""Both prefixes are in the template: the worker may touch items of these names only."""

_MARGIN_S = DAY_S
"""Seconds that a budget is kept longer: a job may end a little after its deadline."""


class DynamoDBQuota(QuotaStore):
    """Store quotas and budgets. boto3 blocks, so each request runs in a thread."""

    def __init__(self, client: "DynamoDBClient", table: str, keep_days: int = KEEP_DAYS) -> None:
        self._table = Table(client, table, keep_days=keep_days)

    @override
    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        keys = [QUOTA_PREFIX + image_model, *(BUDGET_PREFIX + name for name in budgets)]
        try:
            first, *others = await asyncio.to_thread(self._read, keys)
        except (BotoCoreError, ClientError) as error:
            raise _failed(error) from error
        named = zip(budgets.items(), others, strict=True)
        stored_budgets = tuple(_to_budget(name, limit, item) for (name, limit), item in named)
        state = QuotaState(quota=_to_quota(first), budgets=stored_budgets)
        versions = tuple(item.get("version", 0) for item in (first, *others))
        return StoredQuota(image_model=image_model, state=state, versions=versions)

    @override
    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        quota_version, *budget_versions = stored.versions
        quota_changed = state.quota != stored.state.quota
        writes = []
        if quota_changed:
            key = QUOTA_PREFIX + stored.image_model
            writes.append(_put(key, _quota_attributes(state.quota), quota_version))
        before = stored.state.budgets
        for budget, old, version in zip(state.budgets, before, budget_versions, strict=True):
            if budget != old:
                writes.append(_put(BUDGET_PREFIX + budget.name, self._budget_attributes(budget), version))
        if not writes:
            return
        only_quota_changed = quota_changed and len(writes) == 1
        try:
            is_stored = await asyncio.to_thread(self._write, writes, only_quota_changed)
        except (BotoCoreError, ClientError) as error:
            raise _failed(error) from error
        if not is_stored:
            raise _lost()

    def _read(self, keys: Sequence[str]) -> list[Item]:
        if len(keys) == 1:
            return [self._table.get(keys[0]) or {}]
        return self._table.get_together(keys)

    def _write(self, writes: Sequence[Write], only_quota_changed: bool) -> bool:
        """Write all or nothing. A write of money is always a transaction, which can be repeated safely."""
        if only_quota_changed:
            return self._table.write(writes[0])
        return not self._table.write_together(writes)

    def _budget_attributes(self, budget: Budget) -> Item:
        """Return the attributes of `budget`, which is kept as long as its job."""
        return {
            **budget.unknown,
            "spent": budget.spent,
            "neededUntil": budget.needed_until,
            "expiresAt": self._table.expires_at(budget.needed_until) + _MARGIN_S,
        }


def _put(key: str, attributes: Item, version: int) -> Write:
    item = {"pk": key, "version": version + 1, **attributes}
    return put(item, VERSION_MATCHES, previous=version)


def _quota_attributes(quota: Quota) -> Item:
    return {
        **quota.unknown,
        "starts": [number for start in quota.starts for number in start],
        "lastAt": quota.last_at,
        "pausedUntil": quota.paused_until,
        "dayUntil": quota.day_until,
        "dayStarts": quota.day_starts,
        "queueUntil": quota.queue_until,
    }


def _to_quota(item: Mapping[str, Any]) -> Quota:
    starts = item.get("starts", [])
    return Quota(
        starts=tuple(zip(starts[::2], starts[1::2], strict=True)),
        last_at=item.get("lastAt", 0),
        paused_until=item.get("pausedUntil", 0),
        day_until=item.get("dayUntil", 0),
        day_starts=item.get("dayStarts", 0),
        queue_until=item.get("queueUntil", 0),
        unknown=unknown(item, (*_quota_attributes(Quota()), *OF_EVERY_ITEM)),
    )


def _to_budget(name: str, limit: int, item: Mapping[str, Any]) -> Budget:
    return Budget(
        name=name,
        limit=limit,
        spent=item.get("spent", 0),
        needed_until=item.get("neededUntil", 0),
        unknown=unknown(item, ("spent", "neededUntil", *OF_EVERY_ITEM)),
    )


def _failed(error: BotoCoreError | ClientError) -> Contention | StorageFailed:
    """Return what a failed request means; a cancelled transaction means that others were faster."""
    code = type(error).__name__
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", code)
    if code == "TransactionCanceledException":
        return _lost()
    return StorageFailed(f"the quota cannot be reached: {code}")


def _lost() -> Contention:
    return Contention("other workers were faster")
