"""Count the cases of each caller and day (UTC) in DynamoDB: one item each."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, override

from darkroom.adapters.dynamodb.table import DAY_S, Table, update
from darkroom.domain.errors import DailyLimitReached
from darkroom.ports import DailyLimit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "caller:"
IS_BELOW_THE_LIMIT = "attribute_not_exists(submitted) OR submitted < :limit"
"""One more case is allowed."""

_KEEP_DAYS = 30


class DynamoDBDailyLimit(DailyLimit):
    """Count cases and refuse those above `limit`. A `limit` of 0 allows any number and counts none.

    The count is not in the transaction that stores the job, because all submissions of one caller would
    conflict there. A submission that dies between the two writes has been counted; none is stored uncounted.
    """

    def __init__(self, client: "DynamoDBClient", table: str, limit: int) -> None:
        self._table = Table(client, table, keep_days=_KEEP_DAYS)
        self._limit = limit

    @override
    def take(self, caller: str, now: int) -> None:
        if not self._limit:
            return
        now_s = now // 1000
        day = datetime.fromtimestamp(now_s, UTC).date().isoformat()
        write = update(
            f"{PREFIX}{caller}:{day}",
            "ADD submitted :one SET expiresAt = :expires",
            IS_BELOW_THE_LIMIT,
            one=1,
            limit=self._limit,
            expires=self._table.expires_at(now),
        )
        if not self._table.write(write):
            raise DailyLimitReached(
                f"the {self._limit} cases a day of this caller are used up; a day ends at midnight UTC",
                seconds=DAY_S - now_s % DAY_S,
            )
