"""The promises of DailyLimit, kept by the fake and by DynamoDB."""

import threading
from collections.abc import Callable, Iterator

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.daily_limit import DynamoDBDailyLimit
from darkroom.domain.errors import DailyLimitReached
from darkroom.ports import DailyLimit
from moto import mock_aws

from testing.fakes.jobs import MemoryDailyLimit
from testing.tables import TABLE, create_table

MIDNIGHT = 1_800_057_600_000
"""The end of a day (UTC)."""
NOON = MIDNIGHT - 43_200_000

type Make = Callable[[int], DailyLimit]


@pytest.fixture(params=["fake", "dynamodb"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    if request.param == "fake":
        yield MemoryDailyLimit
        return
    with mock_aws():
        create_table(clients.dynamodb())
        yield lambda limit: DynamoDBDailyLimit(clients.dynamodb(), TABLE, limit)


def test_a_caller_may_submit_up_to_the_limit_and_no_more(make: Make) -> None:
    daily_limit = make(3)
    for _ in range(3):
        daily_limit.take("game", NOON)
    with pytest.raises(DailyLimitReached) as refused:
        daily_limit.take("game", NOON)
    assert refused.value.seconds == 43_200


def test_each_caller_has_a_daily_limit_of_its_own(make: Make) -> None:
    daily_limit = make(1)
    daily_limit.take("game", NOON)
    daily_limit.take("desk", NOON)
    with pytest.raises(DailyLimitReached):
        daily_limit.take("desk", NOON)


def test_a_new_day_begins_at_midnight_utc(make: Make) -> None:
    daily_limit = make(1)
    daily_limit.take("game", MIDNIGHT - 1)
    with pytest.raises(DailyLimitReached) as refused:
        daily_limit.take("game", MIDNIGHT - 1)
    assert refused.value.seconds == 1
    daily_limit.take("game", MIDNIGHT)


def test_without_a_limit_any_number_is_allowed(make: Make) -> None:
    daily_limit = make(0)
    for _ in range(10):
        daily_limit.take("game", NOON)


def test_of_many_cases_at_once_no_more_than_the_limit_are_counted(make: Make) -> None:
    daily_limit, through = make(5), []

    def take(number: int) -> None:
        try:
            daily_limit.take("game", NOON)
        except DailyLimitReached:
            return
        through.append(number)

    threads = [threading.Thread(target=take, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(through) == 5


@mock_aws
def test_a_count_is_forgotten_a_month_later() -> None:
    create_table(clients.dynamodb())
    DynamoDBDailyLimit(clients.dynamodb(), TABLE, 5).take("game", NOON)
    [item] = clients.dynamodb().scan(TableName=TABLE)["Items"]
    assert item["pk"]["S"] == "caller:game:2027-01-15"
    assert int(item["expiresAt"]["N"]) == NOON // 1000 + 30 * 86_400
