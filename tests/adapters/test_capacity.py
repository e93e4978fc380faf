"""A request that AWS has no capacity for raises Busy, and batch reads are repeated after a wait."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, override

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber
from darkroom.adapters import aws as clients
from darkroom.adapters.aws_errors import is_temporary
from darkroom.adapters.dynamodb.counters import DynamoDBCounters
from darkroom.adapters.dynamodb.daily_limit import DynamoDBDailyLimit
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.dynamodb.quota import DynamoDBQuota
from darkroom.adapters.dynamodb.table import READ_AT_ONCE, Table
from darkroom.domain.case import Case
from darkroom.domain.errors import Busy, Contention
from darkroom.domain.metrics import Tally, Window
from darkroom.domain.quota import Quota, QuotaState
from darkroom.ports import StoredQuota
from darkroom.usecases.change_job import change_job

from testing.builders import NOW, a_case, a_job
from testing.fakes.jobs import MemoryJobs

JOB = a_job()
CODES = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
]
TABLE = "jobs"


@pytest.fixture
def stubber() -> Iterator[Stubber]:
    with Stubber(clients.dynamodb()) as made:
        yield made


def jobs() -> DynamoDBJobs:
    return DynamoDBJobs(clients.dynamodb(), TABLE)


def outbox() -> DynamoDBOutbox:
    return DynamoDBOutbox(clients.dynamodb(), TABLE)


def counters() -> DynamoDBCounters:
    return DynamoDBCounters(clients.dynamodb(), TABLE)


def quota() -> DynamoDBQuota:
    return DynamoDBQuota(clients.dynamodb(), TABLE)


STORED = StoredQuota(image_model="a/b", state=QuotaState(), versions=(0,))
STARTED = QuotaState(quota=Quota(last_at=NOW))

REQUESTS: list[tuple[str, Callable[[], Any]]] = [
    ("get_item", lambda: jobs().get("case-1")),
    ("get_item", lambda: jobs().get_case(JOB)),
    ("put_item", lambda: jobs().save(JOB.with_last_error("x"))),
    ("transact_write_items", lambda: jobs().save(JOB.with_last_error("x"), a_case())),
    ("transact_write_items", lambda: jobs().create(JOB, a_case())),
    ("batch_get_item", lambda: jobs().run_logs(JOB)),
    ("query", lambda: jobs().due(NOW, 10)),
    ("get_item", lambda: outbox().get("case-1", "job-1", 1)),
    ("query", lambda: outbox().due(NOW, 10)),
    ("batch_get_item", lambda: outbox().of_job(JOB)),
    ("batch_get_item", lambda: counters().totals(Window.HOUR, now=NOW)),
    ("transact_write_items", lambda: counters().add(JOB, Tally(counts={}), at=NOW)),
    ("get_item", lambda: asyncio.run(quota().load("a/b", {}))),
    ("transact_get_items", lambda: asyncio.run(quota().load("a/b", {"job": 1}))),
    ("put_item", lambda: asyncio.run(quota().save(STORED, STARTED))),
    ("update_item", lambda: DynamoDBDailyLimit(clients.dynamodb(), TABLE, 1).take("game", NOW)),
]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("operation", "send"), REQUESTS, ids=range(len(REQUESTS)))
def test_a_throttled_table_is_busy(
    stubber: Stubber, operation: str, send: Callable[[], Any], code: str
) -> None:
    stubber.add_client_error(operation, code, http_status_code=400)
    with pytest.raises(Busy):
        send()


def cancelled_for(stubber: Stubber, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stubber.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        http_status_code=400,
        modeled_fields={"CancellationReasons": reasons},
    )


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
@pytest.mark.parametrize(("operation", "send"), REQUESTS, ids=range(len(REQUESTS)))
def test_a_transaction_that_is_cancelled_because_the_table_is_throttled_is_busy(
    stubber: Stubber, operation: str, send: Callable[[], Any], code: str
) -> None:
    if operation == "transact_write_items":
        cancelled_for(stubber, "None", code)
        with pytest.raises(Busy):
            send()


def test_a_failed_condition_counts_more_than_a_throttled_item(stubber: Stubber) -> None:
    cancelled_for(stubber, "ConditionalCheckFailed", "ThrottlingError")
    assert not jobs().create(JOB, a_case())
    cancelled_for(stubber, "ConditionalCheckFailed", "ThrottlingError")
    with pytest.raises(Contention) as lost:
        jobs().save(JOB.with_last_error("x"), a_case())
    assert not isinstance(lost.value, Busy)


def test_another_reason_for_a_cancelled_transaction_is_raised(stubber: Stubber) -> None:
    cancelled_for(stubber, "None", "ValidationError")
    with pytest.raises(ClientError):
        jobs().create(JOB, a_case())


def unread(*keys: str) -> Any:
    return {TABLE: {"Keys": [{"pk": {"S": key}} for key in keys]}} if keys else {}


def found(*keys: str) -> Any:
    return {TABLE: [{"pk": {"S": key}} for key in keys]}


def test_unprocessed_keys_are_read_again_after_a_growing_wait(stubber: Stubber) -> None:
    waits: list[float] = []
    batches = [(found("a"), unread("b", "c")), (found(), unread("b", "c")), (found("b", "c"), unread())]
    for responses, left in batches:
        stubber.add_response("batch_get_item", {"Responses": responses, "UnprocessedKeys": left})
    read = Table(clients.dynamodb(), TABLE, sleep=waits.append).get_many(["a", "b", "c"])
    assert [item["pk"] for item in read] == ["a", "b", "c"]
    assert waits == [0.05, 0.1]
    stubber.assert_no_pending_responses()


def test_keys_that_are_never_processed_are_busy(stubber: Stubber) -> None:
    waits: list[float] = []
    for _ in range(5):
        stubber.add_response("batch_get_item", {"Responses": found(), "UnprocessedKeys": unread("a")})
    with pytest.raises(Busy):
        list(Table(clients.dynamodb(), TABLE, sleep=waits.append).get_many(["a"]))
    assert waits == [0.05, 0.1, 0.2, 0.4]


def test_a_batch_read_names_at_most_a_hundred_items(stubber: Stubber) -> None:
    keys = [f"k-{n}" for n in range(READ_AT_ONCE + 1)]
    for some in (keys[:READ_AT_ONCE], keys[READ_AT_ONCE:]):
        stubber.add_response("batch_get_item", {"Responses": found(*some)}, {"RequestItems": unread(*some)})
    assert len(list(Table(clients.dynamodb(), TABLE).get_many(keys))) == READ_AT_ONCE + 1


class BusyJobs(MemoryJobs):
    """A store that is busy for every write."""

    tried = 0

    @override
    def save(self, job: Any, beside: Any = None) -> None:
        self.tried += 1
        raise Busy("busy")


def test_a_change_is_not_tried_again_at_once_on_a_busy_table() -> None:
    store = BusyJobs()
    store.create(JOB, a_case())

    def decide(job: Any) -> tuple[Any, Case | None]:
        return job.with_last_error("x"), None

    with pytest.raises(Busy):
        change_job(store, "case-1", decide)
    assert store.tried == 1


def refused(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (refused("SlowDown", 503), True),
        (refused("InternalServerError", 500), True),
        (refused("TooManyRequestsException", 429), True),
        (refused("ThrottlingException", 400), True),
        (refused("AccessDenied", 403), False),
        (refused("ValidationException", 400), False),
        (ConnectTimeoutError(endpoint_url="https://x"), True),
        (ValueError("a defect"), False),
    ],
)
def test_temporary_errors_of_aws_are_distinguished_from_defects(error: Exception, temporary: bool) -> None:
    assert is_temporary(error) == temporary
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = error
    assert is_temporary(wrapped) == temporary
