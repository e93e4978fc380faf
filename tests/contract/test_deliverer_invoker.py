"""The promises of DelivererInvoker, kept by the fake and by Lambda (behind botocore's Stubber)."""

import json

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from darkroom.adapters.lambda_deliverers import LambdaDeliverers
from darkroom.domain.errors import InvokeRefused
from darkroom.usecases.start_deliverer import start_deliverer

from testing.fakes.callbacks import RecordedDeliverers
from testing.fakes.time_and_ids import ManualClock

KEY = ("case-1", "job-1", 4)


@pytest.fixture
def stubbed() -> tuple[LambdaDeliverers, Stubber]:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    return LambdaDeliverers(client, "the-deliverer", ManualClock()), Stubber(client)


def test_the_fake_remembers_deliveries_and_may_refuse() -> None:
    deliverers = RecordedDeliverers()
    deliverers.invoke(*KEY)
    assert deliverers.invoked == [KEY]
    with pytest.raises(InvokeRefused):
        RecordedDeliverers(refusing=True).invoke(*KEY)


def test_lambda_gets_the_delivery_as_an_asynchronous_event(
    stubbed: tuple[LambdaDeliverers, Stubber],
) -> None:
    deliverers, stubber = stubbed
    payload = json.dumps({"caseId": "case-1", "jobId": "job-1", "version": 4}, separators=(",", ":")).encode()
    stubber.add_response(
        "invoke",
        {"StatusCode": 202},
        {"FunctionName": "the-deliverer", "InvocationType": "Event", "Payload": payload},
    )
    with stubber:
        deliverers.invoke(*KEY)
    stubber.assert_no_pending_responses()


def test_an_error_of_lambda_is_a_refusal_and_leaves_the_delivery_to_the_sweeper(
    stubbed: tuple[LambdaDeliverers, Stubber],
) -> None:
    deliverers, stubber = stubbed
    for _ in range(2):
        stubber.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    with stubber:
        with pytest.raises(InvokeRefused, match="TooManyRequestsException"):
            deliverers.invoke(*KEY)
        assert not start_deliverer(deliverers, KEY)


def test_an_unreachable_lambda_is_a_refusal(
    stubbed: tuple[LambdaDeliverers, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    deliverers, _ = stubbed

    def unreachable(**_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://lambda.example")

    monkeypatch.setattr(deliverers._client, "invoke", unreachable)
    with pytest.raises(InvokeRefused, match="ConnectTimeoutError"):
        deliverers.invoke(*KEY)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_process_starts_no_more_deliverers_than_its_limit_within_their_lifetime(accepted: bool) -> None:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    clock, stubber = ManualClock(), Stubber(client)
    deliverers = LambdaDeliverers(client, "the-deliverer", clock, max_concurrent=2)
    for _ in range(4):
        if accepted:
            stubber.add_response("invoke", {"StatusCode": 202})
        else:  # a start that was refused may have happened all the same
            stubber.add_client_error("invoke", "ServiceException", http_status_code=500)
    requested_at: list[int] = []
    client.meta.events.register("provide-client-params", lambda **_: requested_at.append(clock.now))
    began = clock.now
    with stubber:
        for seconds in (0, 10, 9, 1, 0, 9, 1):
            clock.pass_seconds(seconds)
            start_deliverer(deliverers, KEY)
    assert [(at - began) / 1000 for at in requested_at] == [0, 10, 20, 30]


def test_any_number_is_started_where_lambda_limits_them(
    stubbed: tuple[LambdaDeliverers, Stubber],
) -> None:
    deliverers, stubber = stubbed
    for _ in range(300):
        stubber.add_response("invoke", {"StatusCode": 202})
    with stubber:
        assert all(start_deliverer(deliverers, KEY) for _ in range(300))
