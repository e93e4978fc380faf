"""`make doctor` on the running stack finds nothing wrong until something is broken."""

import json

import httpx
import pytest

from ops.checks import Finding, Level, concurrency
from ops.deployment import Deployment
from ops.doctor import examine
from tests.stack.conftest import Api


@pytest.fixture
def deployment(api: Api) -> Deployment:
    return Deployment("darkroom", api.stack.client, api.http)


def failures(deployment: Deployment) -> list[Finding]:
    return [finding for finding in examine(deployment) if finding.level is Level.FAIL]


def store(deployment: Deployment, secret: str, value: str) -> str:
    """Replace the value of a secret; return the value it had before."""
    before = deployment.secret(secret)
    name = deployment.resources[secret][1]
    deployment.client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)
    return before


def test_a_healthy_stack_has_no_failure_and_every_part_is_checked(deployment: Deployment) -> None:
    found = list(examine(deployment))
    assert [f for f in found if f.level is Level.FAIL] == []
    assert {finding.subject.split()[0] for finding in found} == {
        "concurrency",
        "secret",
        "provider",
        "release",
        "webhook",
        "callers",
        "sweeper",
        "alarms",
        "table",
        "bucket",
    }
    assert all(finding.fix for finding in found if finding.level is Level.WARN)


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        ("GeminiSecret", "unset"),
        ("ApiTokens", "{}"),
        ("ApiTokens", json.dumps({"callers": [{"name": "x", "scopes": "read", "token": "short"}]})),
        ("ShareSecret", "short"),
        ("LinkSecret", ""),
    ],
)
def test_a_secret_with_a_wrong_format_is_found_and_not_shown(
    deployment: Deployment, secret: str, value: str
) -> None:
    before = store(deployment, secret, value or " ")
    try:
        found = [f for f in failures(deployment) if f.subject == f"secret {secret}"]
    finally:
        store(deployment, secret, before)
    [finding] = found
    assert finding.fix
    assert "short" not in finding.found


def test_a_key_that_the_provider_refuses_is_found(api: Api, deployment: Deployment) -> None:
    api.configure_provider(key="another")
    found = failures(deployment)
    api.configure_provider()
    assert [(f.subject, "400" in f.found) for f in found] == [("provider", True)]


def test_settings_that_are_not_released_are_found(deployment: Deployment) -> None:
    functions = deployment.client("lambda")
    name = deployment.resources["ReaderFunction"][1]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"CHANGED": "1"}})
    try:
        [finding] = failures(deployment)
    finally:
        functions.update_function_configuration(FunctionName=name, Environment=before)
    assert finding.subject.startswith("release")
    assert "Environment" in finding.found


def test_a_webhook_that_cannot_be_reached_is_found(deployment: Deployment) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with httpx.Client(transport=httpx.MockTransport(refuse)) as unreachable:
        deployment.http = unreachable
        found = {finding.subject for finding in failures(deployment)}
    assert found == {"provider", "webhook", "callers"}


def test_a_stopped_schedule_is_found(deployment: Deployment) -> None:
    [rule] = deployment.of_type("AWS::Events::Rule").values()
    events = deployment.client("events")
    name = rule.rpartition("|")[2]
    events.disable_rule(Name=name)
    try:
        found = failures(deployment)
    finally:
        events.enable_rule(Name=name)
    assert [(f.subject, "enable-rule" in f.fix) for f in found] == [("sweeper", True)]


def test_the_low_concurrency_of_a_new_account_is_a_warning(deployment: Deployment) -> None:
    class Small:
        def get_account_settings(self) -> object:
            return {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}

    deployment.client = lambda service: Small()
    [finding] = concurrency(deployment)
    assert (finding.level, "Service Quotas" in finding.fix) == (Level.WARN, True)


def test_a_stack_that_does_not_exist_is_a_failure_and_no_crash(api: Api) -> None:
    missing = Deployment("no-such-stack", api.stack.client, api.http)
    found = [finding for finding in examine(missing) if finding.subject != "concurrency"]
    assert all(finding.level is Level.FAIL for finding in found)
