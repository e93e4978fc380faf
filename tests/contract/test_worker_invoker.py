"""The promises of WorkerInvoker, kept by the fake and by Lambda (behind botocore's Stubber)."""

import json

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.domain.errors import InvokeRefused
from darkroom.domain.run import work_order
from darkroom.wire.model import dump, parse
from darkroom.wire.order import WorkerEvent

from testing.builders import a_case, a_job
from testing.fakes.jobs import RecordedWorkers

ORDER = work_order(a_job(), a_case(), webhook_url="https://x/hook")


@pytest.fixture
def stubbed() -> tuple[LambdaWorkers, Stubber]:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return LambdaWorkers(client, "the-worker"), Stubber(client)


def test_the_fake_remembers_orders() -> None:
    workers = RecordedWorkers()
    workers.invoke(ORDER)
    assert workers.orders == [ORDER]


def test_lambda_gets_the_order_as_an_asynchronous_event(stubbed: tuple[LambdaWorkers, Stubber]) -> None:
    workers, stubber = stubbed
    payload = dump(WorkerEvent.of(ORDER)).encode()
    stubber.add_response(
        "invoke",
        {"StatusCode": 202},
        {"FunctionName": "the-worker", "InvocationType": "Event", "Payload": payload},
    )
    with stubber:
        workers.invoke(ORDER)
    stubber.assert_no_pending_responses()
    assert parse(WorkerEvent, json.loads(payload)).to_order() == ORDER


def test_the_fake_may_refuse() -> None:
    with pytest.raises(InvokeRefused):
        RecordedWorkers(refusing=True).invoke(ORDER)


def test_an_error_of_lambda_is_a_refusal_that_names_it(stubbed: tuple[LambdaWorkers, Stubber]) -> None:
    workers, stubber = stubbed
    stubber.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    with stubber, pytest.raises(InvokeRefused, match="TooManyRequestsException"):
        workers.invoke(ORDER)


def test_an_unreachable_lambda_is_a_refusal(
    stubbed: tuple[LambdaWorkers, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, _ = stubbed

    def unreachable(**_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://lambda.example")

    monkeypatch.setattr(workers._client, "invoke", unreachable)
    with pytest.raises(InvokeRefused, match="ConnectTimeoutError"):
        workers.invoke(ORDER)


def test_the_largest_order_fits_an_asynchronous_event() -> None:
    # 256 KB of body, the most that submit accepts, under Lambda's 1 MB.
    case = a_case(evidence=100, locations=0)
    size = len(dump(WorkerEvent.of(work_order(a_job(case), case, webhook_url="https://x"))))
    assert size + 262_144 < 1_000_000
