"""What the worker relies on where quotas and purses are kept, held on the fake and on DynamoDB."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber
from darkroom.adapters.dynamodb.quota import DynamoDBQuota
from darkroom.domain.errors import Contention, StorageFailed
from darkroom.domain.quota import Account, Purse, Quota
from darkroom.ports import Kept, QuotaStore
from moto import mock_aws

from testing.builders import NOW
from testing.fakes import MemoryQuota

PURSES = {"job:1": 1_000, "day:7": 5_000}
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
        client.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield DynamoDBQuota(client, "jobs")


def load(store: QuotaStore, purses: dict[str, int] = PURSES, source: str = "gemini/model") -> Kept:
    return asyncio.run(store.load(source, purses))


def save(store: QuotaStore, kept: Kept, account: Account) -> None:
    asyncio.run(store.save(kept, account))


def spent(account: Account, *amounts: int) -> Account:
    purses = (
        replace(purse, spent=amount, needed_until=NOW if amount else 0)
        for purse, amount in zip(account.purses, amounts, strict=True)
    )
    return replace(account, purses=tuple(purses))


def test_what_nobody_has_stored_is_empty(store: QuotaStore) -> None:
    kept = load(store)
    assert kept.account == Account(
        purses=(Purse(name="job:1", limit=1_000), Purse(name="day:7", limit=5_000))
    )


def test_what_is_stored_comes_back(store: QuotaStore) -> None:
    kept = load(store)
    account = spent(Account(quota=QUOTA, purses=kept.account.purses), 700, 800)
    save(store, kept, account)
    assert load(store).account == account
    assert load(store, {}).account == Account(quota=QUOTA)


def test_of_two_workers_that_saw_the_same_one_wins(store: QuotaStore) -> None:
    first, second = load(store, {}), load(store, {})
    save(store, first, Account(quota=QUOTA))
    with pytest.raises(Contention):
        save(store, second, Account(quota=replace(QUOTA, day_starts=9)))
    assert load(store, {}).account.quota == QUOTA


def test_a_start_is_not_stored_without_its_money(store: QuotaStore) -> None:
    mine, other = load(store), load(store, {"job:1": 1_000})
    save(store, other, spent(other.account, 100))
    with pytest.raises(Contention):
        save(store, mine, spent(Account(quota=QUOTA, purses=mine.account.purses), 100, 100))
    after = load(store).account
    assert after.quota == Quota()
    assert [purse.spent for purse in after.purses] == [100, 0]


def test_what_did_not_change_is_nobodys_contention(store: QuotaStore) -> None:
    mine, other = load(store), load(store)
    save(store, other, spent(other.account, 0, 100))
    save(store, mine, spent(mine.account, 300, 0))
    assert [purse.spent for purse in load(store).account.purses] == [300, 100]


def test_sources_do_not_share_their_quota_but_their_purses(store: QuotaStore) -> None:
    kept = load(store)
    save(store, kept, spent(Account(quota=QUOTA, purses=kept.account.purses), 1, 2))
    other = load(store, source="bedrock/model").account
    assert other.quota == Quota()
    assert [purse.spent for purse in other.purses] == [1, 2]


def test_saving_what_did_not_change_writes_nothing(store: QuotaStore) -> None:
    kept = load(store)
    save(store, kept, kept.account)
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
def test_what_dynamodb_refuses_has_a_name(code: str, error: type[Exception]) -> None:
    client = boto3.client("dynamodb", "eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stub:
        stub.add_client_error("put_item", code)
        kept = Kept(source="a/b", account=Account(), versions=(0,))
        with pytest.raises(error):
            save(DynamoDBQuota(client, "jobs"), kept, Account(quota=QUOTA))


def test_a_purse_is_forgotten_a_day_after_its_job() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", "eu-central-1")
        client.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        store = DynamoDBQuota(client, "jobs", keep_days=400)
        kept = load(store)
        save(store, kept, spent(kept.account, 1, 1))
        item = client.get_item(TableName="jobs", Key={"pk": {"S": "purse:job:1"}})["Item"]
    assert int(item["expiresAt"]["N"]) == NOW // 1000 + 401 * 86_400
