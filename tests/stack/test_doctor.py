"""The doctor at the running stack: nothing to mend, until something is broken."""

import json

import httpx
import pytest

from ops.checks import Finding, Level, concurrency
from ops.deployment import Deployment
from ops.doctor import examine
from tests.stack.conftest import Api


@pytest.fixture
def patient(api: Api) -> Deployment:
    return Deployment("darkroom", api.stack.client, api.http)


def failures(patient: Deployment) -> list[Finding]:
    return [finding for finding in examine(patient) if finding.level is Level.FAIL]


def store(patient: Deployment, secret: str, value: str) -> str:
    """The value it had before."""
    before = patient.secret(secret)
    name = patient.resources[secret][1]
    patient.client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)
    return before


def test_a_sound_stack_has_nothing_to_mend_and_every_part_is_looked_at(patient: Deployment) -> None:
    found = list(examine(patient))
    assert [f for f in found if f.level is Level.FAIL] == []
    looked_at = {finding.what.split()[0] for finding in found}
    assert looked_at == {
        *(
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
        )
    }
    assert all(finding.mend for finding in found if finding.level is Level.WARN)


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
def test_a_secret_of_a_wrong_form_is_found_and_not_shown(
    patient: Deployment, secret: str, value: str
) -> None:
    before = store(patient, secret, value or " ")
    try:
        found = [f for f in failures(patient) if f.what == f"secret {secret}"]
    finally:
        store(patient, secret, before)
    [finding] = found
    assert finding.mend
    assert "short" not in finding.seen


def test_a_key_that_the_provider_refuses_is_found(api: Api, patient: Deployment) -> None:
    api.set_studio(key="another")
    found = failures(patient)
    api.set_studio()
    assert [(f.what, "400" in f.seen) for f in found] == [("provider", True)]


def test_settings_that_no_release_has_are_found(patient: Deployment) -> None:
    functions = patient.client("lambda")
    name = patient.resources["ReaderFunction"][1]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"CHANGED": "1"}})
    try:
        [finding] = failures(patient)
    finally:
        functions.update_function_configuration(FunctionName=name, Environment=before)
    assert finding.what.startswith("release")
    assert "Environment" in finding.seen


def test_a_webhook_that_nobody_reaches_is_found(patient: Deployment) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with httpx.Client(transport=httpx.MockTransport(answer)) as nobody:
        patient.http = nobody
        found = {finding.what for finding in failures(patient)}
    assert found == {"provider", "webhook", "callers"}


def test_a_stopped_schedule_is_found(patient: Deployment) -> None:
    [rule] = patient.of_type("AWS::Events::Rule").values()
    events = patient.client("events")
    name = rule.rpartition("|")[2]
    events.disable_rule(Name=name)
    try:
        found = failures(patient)
    finally:
        events.enable_rule(Name=name)
    assert [(f.what, "enable-rule" in f.mend) for f in found] == [("sweeper", True)]


def test_a_new_account_is_warned_that_few_functions_run_at_once(patient: Deployment) -> None:
    class Small:
        def get_account_settings(self) -> object:
            return {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}

    patient.client = lambda service: Small()
    [finding] = concurrency(patient)
    assert (finding.level, "Service Quotas" in finding.mend) == (Level.WARN, True)


def test_a_stack_that_is_not_there_is_a_failure_and_no_crash(api: Api) -> None:
    nobody = Deployment("no-such-stack", api.stack.client, api.http)
    assert all(finding.level is Level.FAIL for finding in examine(nobody) if finding.what != "concurrency")
