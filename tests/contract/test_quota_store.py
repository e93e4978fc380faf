"""The promises of QuotaStore, kept by the fake and by DynamoDB."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber
from darkroom.adapters.dynamodb.quota import DynamoDBQuota
from darkroom.domain.errors import Contention
from darkroom.domain.quota import Budget, Quota, QuotaState
from darkroom.domain.shot_errors import StorageFailed
from darkroom.ports import QuotaStore, StoredQuota
from moto import mock_aws

from testing.builders import NOW
from testing.fakes.quota import MemoryQuota
from testing.tables import TABLE, create_table

BUDGETS = {"job:1": 1_000, "day:7": 5_000}
QUOTA = Quota(
    starts=((NOW, 3), (NOW + 1_000, 1)),
    last_at=NOW + 300,
    paused_until=NOW + 5,
    day_until=NOW + 6,
    day_starts=4,
    queue_until=NOW + 7,
)


@pytest.fixture(params=["fake", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[QuotaStore]:
    if request.param == "fake":
        yield MemoryQuota()
        return
    with mock_aws():
        client = boto3.client("dynamodb", "eu-central-1")
        create_table(client)
        yield DynamoDBQuota(client, TABLE)


def load(
    store: QuotaStore, budgets: dict[str, int] = BUDGETS, image_model: str = "gemini/model"
) -> StoredQuota:
    return asyncio.run(store.load(image_model, budgets))


def save(store: QuotaStore, stored: StoredQuota, state: QuotaState) -> None:
    asyncio.run(store.save(stored, state))


def spent(state: QuotaState, *amounts: int) -> QuotaState:
    budgets = (
        replace(budget, spent=amount, needed_until=NOW if amount else 0)
        for budget, amount in zip(state.budgets, amounts, strict=True)
    )
    return replace(state, budgets=tuple(budgets))


def test_a_state_that_nobody_has_stored_is_empty(store: QuotaStore) -> None:
    stored = load(store)
    assert stored.state == QuotaState(
        budgets=(Budget(name="job:1", limit=1_000), Budget(name="day:7", limit=5_000))
    )


def test_a_stored_state_is_read_back(store: QuotaStore) -> None:
    stored = load(store)
    state = spent(QuotaState(quota=QUOTA, budgets=stored.state.budgets), 700, 800)
    save(store, stored, state)
    assert load(store).state == state
    assert load(store, {}).state == QuotaState(quota=QUOTA)


def test_of_two_workers_that_read_the_same_state_one_wins(store: QuotaStore) -> None:
    first, second = load(store, {}), load(store, {})
    save(store, first, QuotaState(quota=QUOTA))
    with pytest.raises(Contention):
        save(store, second, QuotaState(quota=replace(QUOTA, day_starts=9)))
    assert load(store, {}).state.quota == QUOTA


def test_a_start_is_not_stored_without_its_reserved_money(store: QuotaStore) -> None:
    mine, other = load(store), load(store, {"job:1": 1_000})
    save(store, other, spent(other.state, 100))
    with pytest.raises(Contention):
        save(store, mine, spent(QuotaState(quota=QUOTA, budgets=mine.state.budgets), 100, 100))
    after = load(store).state
    assert after.quota == Quota()
    assert [budget.spent for budget in after.budgets] == [100, 0]


def test_parts_that_did_not_change_cause_no_contention(store: QuotaStore) -> None:
    mine, other = load(store), load(store)
    save(store, other, spent(other.state, 0, 100))
    save(store, mine, spent(mine.state, 300, 0))
    assert [budget.spent for budget in load(store).state.budgets] == [300, 100]


def test_image_models_share_budgets_and_not_quotas(store: QuotaStore) -> None:
    stored = load(store)
    save(store, stored, spent(QuotaState(quota=QUOTA, budgets=stored.state.budgets), 1, 2))
    other = load(store, image_model="bedrock/model").state
    assert other.quota == Quota()
    assert [budget.spent for budget in other.budgets] == [1, 2]


def test_saving_an_unchanged_state_writes_nothing(store: QuotaStore) -> None:
    stored = load(store)
    save(store, stored, stored.state)
    assert load(store).versions == (0, 0, 0)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ConditionalCheckFailedException", Contention),
        ("TransactionConflictException", Contention),
        ("InternalServerError", StorageFailed),
        ("AccessDeniedException", StorageFailed),
    ],
)
def test_an_error_of_dynamodb_becomes_contention_or_storage_failed(code: str, error: type[Exception]) -> None:
    client = boto3.client("dynamodb", "eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stub:
        stub.add_client_error("put_item", code)
        stored = StoredQuota(image_model="a/b", state=QuotaState(), versions=(0,))
        with pytest.raises(error):
            save(DynamoDBQuota(client, TABLE), stored, QuotaState(quota=QUOTA))


def test_a_budget_is_kept_a_day_longer_than_its_job() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", "eu-central-1")
        create_table(client)
        store = DynamoDBQuota(client, TABLE, keep_days=400)
        stored = load(store)
        save(store, stored, spent(stored.state, 1, 1))
        item = client.get_item(TableName=TABLE, Key={"pk": {"S": "budget:job:1"}})["Item"]
    assert int(item["expiresAt"]["N"]) == NOW // 1000 + 401 * 86_400
