"""How many cases each caller has submitted and retried today (UTC): one item a caller and day."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from darkroom.domain.errors import DailyLimitReached

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PREFIX = "caller:"
IS_BELOW_THE_LIMIT = "attribute_not_exists(submitted) OR submitted < :limit"
"""One more is allowed."""

_DAY_S = 86_400
_KEPT_DAYS = 30


class DynamoDBDailyLimit:
    """See DailyLimit. `limit` 0 allows any number and counts none.

    Not in the transaction that stores the job: all of one caller's submissions would conflict there.
    So a submission that dies in between has counted, and none is made uncounted.
    """

    def __init__(self, client: "DynamoDBClient", table: str, limit: int) -> None:
        self._client = client
        self._table = table
        self._limit = limit

    def take(self, caller: str, now: int) -> None:
        """See DailyLimit."""
        if not self._limit:
            return
        now_s = now // 1000
        day = datetime.fromtimestamp(now_s, UTC).date().isoformat()
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"{PREFIX}{caller}:{day}"}},
                UpdateExpression="ADD submitted :one SET expiresAt = :expires",
                ConditionExpression=IS_BELOW_THE_LIMIT,
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(self._limit)},
                    ":expires": {"N": str(now_s + _KEPT_DAYS * _DAY_S)},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise DailyLimitReached(
                f"the {self._limit} cases a day of this caller are used up; a day ends at midnight UTC",
                seconds=_DAY_S - now_s % _DAY_S,
            ) from error
