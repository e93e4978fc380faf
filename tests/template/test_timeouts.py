"""Each wait is longer than what it waits for can take."""

from typing import Any

import pytest
from darkroom.adapters import aws, http_callbacks, http_snapshots
from darkroom.settings import WorkerSettings
from darkroom.worker import generate_image

from testing.template import FUNCTIONS, TEMPLATE, events_of

TIMEOUTS = {
    name: function.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
    for name, function in FUNCTIONS.items()
}
"""Seconds, by function."""
CLIENTS = ("dynamodb", "lambda_", "s3", "secretsmanager", "sqs")


def longest(client: Any) -> float:
    """Return the seconds of a call whose every attempt hangs, with the longest waits between them."""
    config = client.meta.config
    attempts = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    waits = sum(2**number for number in range(attempts - 1))
    return float(attempts * (config.connect_timeout + config.read_timeout) + waits)


@pytest.mark.parametrize("function", TIMEOUTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_hanging_call_to_aws_ends_before_its_function_times_out(function: str, name: str) -> None:
    assert longest(getattr(aws, name)()) < TIMEOUTS[function]


def test_a_put_ends_before_the_worker_stops_waiting_for_it_which_is_before_the_run_ends() -> None:
    reserve = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s").reserve_seconds
    assert longest(aws.s3(attempts=3)) < generate_image.PUT_TIMEOUT_S < reserve


def test_the_webhooks_calls_to_aws_end_before_the_worker_stops_waiting_for_its_response() -> None:
    slowest = max(longest(getattr(aws, name)()) for name in CLIENTS)
    assert slowest < http_snapshots.TIMEOUT_S
    assert TIMEOUTS["webhook"] <= http_snapshots.TIMEOUT_S


def test_a_deliverer_has_time_to_store_the_response_of_the_slowest_receiver() -> None:
    assert http_callbacks.TIMEOUT_S + longest(aws.dynamodb()) < TIMEOUTS["deliverer"]


def test_functions_behind_the_gateway_time_out_before_the_gateway_does() -> None:
    assert all(TIMEOUTS[name] < 30 for name in FUNCTIONS if events_of(name, "HttpApi"))
    assert TIMEOUTS["authorizer"] <= 10
