"""Each function has its folder, layer, log and sample, and Lambda starts it as often as the design says."""

import json
import re
import subprocess
import sys

import pytest
from darkroom import settings

from local import package
from testing.template import (
    FUNCTIONS,
    PARAMETERS,
    RESOURCES,
    TEMPLATE,
    events_of,
    granted,
    name_of,
    variables_of,
)


def test_each_folder_of_functions_is_one_function_of_the_template() -> None:
    folders = {name: function["CodeUri"] for name, function in FUNCTIONS.items()}
    assert folders == {name: f"functions/{name}" for name in package.functions()}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_sample_event_and_a_log_group_of_its_own(function: str) -> None:
    assert (package.ROOT / "events" / f"{function}.json").exists()
    assert FUNCTIONS[function]["LoggingConfig"]["LogGroup"] == {"Ref": f"{function.capitalize()}Logs"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_garbage_collection_is_off_from_the_first_own_import_until_the_start_is_over(function: str) -> None:
    text = (package.FUNCTIONS / function / "app.py").read_text()
    libraries = re.findall(r"^(?:import|from) ((?:darkroom|aws_lambda_powertools)\S*)", text, re.MULTILINE)
    assert libraries[0] == "darkroom.startup"
    assert text.count("\ndarkroom.startup.done()\n") == 1


def test_functions_use_the_layer_of_their_own_processor() -> None:
    shared = TEMPLATE["Globals"]["Function"]
    assert shared["Architectures"] == [{"Ref": "Architecture"}]
    condition, arm, x86 = shared["Layers"][0]["Fn::If"]
    assert TEMPLATE["Conditions"][condition] == {"Fn::Equals": [{"Ref": "Architecture"}, "arm64"]}
    for layer, processor in ((arm, "arm64"), (x86, "x86_64")):
        found = RESOURCES[layer["Ref"]]
        chosen = TEMPLATE["Conditions"][found["Condition"]]
        assert chosen == {"Fn::Equals": [{"Ref": "Architecture"}, processor]}
        assert found["Metadata"]["BuildArchitecture"] == processor
        assert found["Properties"]["CompatibleArchitectures"] == [processor]


def arns_of(function: str) -> set[str]:
    """Return the names by which another function's policy may refer to a function."""
    by_reference = f"{function.capitalize()}Function.Arn"
    if "FunctionName" not in FUNCTIONS[function]:
        return {by_reference}
    prefix = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
    return {by_reference, prefix + name_of(FUNCTIONS[function]["FunctionName"])}


def starters_of(function: str) -> set[str]:
    """Return the functions that may start a function."""
    invocations = {("lambda:InvokeFunction", arn) for arn in arns_of(function)}
    return {name for name in FUNCTIONS if invocations & granted(name)}


ASYNCHRONOUS = {name for name in FUNCTIONS if starters_of(name) or events_of(name, "Schedule")}


def test_a_schedule_starts_the_sweeper_and_functions_start_the_worker_and_the_deliverer() -> None:
    assert {"sweeper", "worker", "deliverer"} == ASYNCHRONOUS
    assert starters_of("worker") == {"initiator", "webhook", "sweeper", "recovery"}
    assert starters_of("deliverer") == {"callbacks", "observer", "sweeper"}


@pytest.mark.parametrize("function", sorted(ASYNCHRONOUS))
def test_lambda_never_retries_an_asynchronous_event_and_keeps_it_for_a_minute_at_most(function: str) -> None:
    """Lambda's defaults are two retries, and six hours for an event that finds no concurrency."""
    asynchronous = FUNCTIONS[function]["EventInvokeConfig"]
    assert (asynchronous["MaximumRetryAttempts"], asynchronous["MaximumEventAgeInSeconds"]) == (0, 60)


def test_records_of_failed_workers_go_to_the_recovery() -> None:
    on_failure = FUNCTIONS["worker"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert name_of(on_failure["Destination"]) == "WorkerFailures.Arn"
    source = RESOURCES["RecoverySource"]["Properties"]
    assert name_of(source["FunctionName"]) == "RecoveryFunction"
    assert name_of(source["EventSourceArn"]) == "WorkerFailures.Arn"
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (source["BatchSize"], source["ScalingConfig"]["MaximumConcurrency"]) == (10, 2)
    assert "MaximumBatchingWindowInSeconds" not in source


def test_no_prompt_stays_in_a_queue_for_longer_than_four_days() -> None:
    failures = RESOURCES["WorkerFailures"]["Properties"]
    dead = RESOURCES["RecoveryFailures"]["Properties"]
    assert (failures["MessageRetentionPeriod"], dead["MessageRetentionPeriod"]) == (86_400, 4 * 86_400)
    assert failures["RedrivePolicy"]["maxReceiveCount"] == 4
    assert name_of(failures["RedrivePolicy"]["deadLetterTargetArn"]) == "RecoveryFailures.Arn"
    assert failures["VisibilityTimeout"] >= 6 * TEMPLATE["Globals"]["Function"]["Timeout"]


def test_lambda_still_ends_chains_of_functions_that_start_one_another() -> None:
    assert "RecursiveLoop" not in json.dumps(RESOURCES)


def test_the_sweeper_runs_every_minute() -> None:
    [schedule] = events_of("sweeper", "Schedule")
    assert schedule["Schedule"] == "rate(1 minute)"


def test_callbacks_cannot_use_up_the_accounts_concurrency() -> None:
    assert PARAMETERS["DelivererConcurrency"]["Default"] == 0  # a new account can reserve nothing
    reserved = FUNCTIONS["deliverer"]["ReservedConcurrentExecutions"]["Fn::If"]
    assert reserved == ["ReservesDeliverers", {"Ref": "DelivererConcurrency"}, {"Ref": "AWS::NoValue"}]
    for name in starters_of("deliverer"):
        given = FUNCTIONS[name]["Environment"]["Variables"]["DELIVERER_CONCURRENCY"]
        assert given == {"Ref": "DelivererConcurrency"}
        kind = getattr(settings, f"{name.capitalize()}Settings")
        assert kind.load(variables_of(name)).max_concurrent_deliverers == 50
        assert (
            kind.load(variables_of(name) | {"DELIVERER_CONCURRENCY": "7"}).max_concurrent_deliverers is None
        )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_imports_a_tracing_sdk(function: str) -> None:
    """Importing X-Ray's would add 170 ms to every cold start."""
    code = f"import functions.{function}.app, sys; print([m for m in sys.modules if 'xray' in m.lower()])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"AWS_DEFAULT_REGION": "us-east-1", **variables_of(function)},
        cwd=package.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
