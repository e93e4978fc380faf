"""Whoever waits for something waits longer than it can take."""

from typing import Any

import pytest
from darkroom.adapters import aws, http_callbacks, http_snapshots
from darkroom.settings import WorkerSettings
from darkroom.worker import generate_image

from local import cloudformation, package

TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
TIMEOUTS = {
    name: resource["Properties"].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
WAITED_FOR_BY_ALL = ("dynamodb", "lambda_", "s3", "secretsmanager")


def longest(client: Any) -> float:
    """Seconds that a call takes whose every try hangs, with the longest waits between them."""
    config = client.meta.config
    tries = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    waits = sum(2**number for number in range(tries - 1))
    return float(tries * (config.connect_timeout + config.read_timeout) + waits)


@pytest.mark.parametrize("function", TIMEOUTS)
@pytest.mark.parametrize("name", WAITED_FOR_BY_ALL)
def test_a_call_to_aws_that_hangs_ends_before_the_function_that_waits_for_it(
    function: str, name: str
) -> None:
    assert longest(getattr(aws, name)()) < TIMEOUTS[function]


def test_a_put_ends_before_the_worker_stops_waiting_and_that_before_the_run_ends() -> None:
    reserve = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s").reserve_seconds
    assert longest(aws.s3(attempts=3)) < generate_image.PUT_TIMEOUT_S < reserve


def test_what_the_webhook_waits_for_ends_before_its_worker_gives_up() -> None:
    slowest = max(longest(getattr(aws, name)()) for name in WAITED_FOR_BY_ALL)
    assert slowest < http_snapshots.TIMEOUT_S
    assert TIMEOUTS["WebhookFunction"] <= http_snapshots.TIMEOUT_S


def test_a_deliverer_waits_for_a_receiver_and_then_still_stores_what_it_said() -> None:
    assert http_callbacks.TIMEOUT_S + longest(aws.dynamodb()) < TIMEOUTS["DelivererFunction"]


def test_the_gateway_waits_longer_than_what_is_behind_it_may_run() -> None:
    behind = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if any(e["Type"] == "HttpApi" for e in resource["Properties"].get("Events", {}).values())
    }
    assert all(TIMEOUTS[name] < 30 for name in behind)
    assert TIMEOUTS["AuthorizerFunction"] <= 10
