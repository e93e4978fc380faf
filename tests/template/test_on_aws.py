"""What only real AWS would show, held in the template."""

import re
from typing import Any

import pytest

from tests.template.test_template import FUNCTIONS, RESOURCES, TEMPLATE, granted, statements_of


def test_a_function_gets_the_layer_of_its_own_processor() -> None:
    given = TEMPLATE["Globals"]["Function"]
    assert given["Architectures"] == [{"Ref": "Architecture"}]
    condition, arm, x86 = given["Layers"][0]["Fn::If"]
    assert TEMPLATE["Conditions"][condition] == {"Fn::Equals": [{"Ref": "Architecture"}, "arm64"]}
    for layer, processor in ((arm, "arm64"), (x86, "x86_64")):
        found = RESOURCES[layer["Ref"]]
        chosen = TEMPLATE["Conditions"][found["Condition"]]
        assert chosen == {"Fn::Equals": [{"Ref": "Architecture"}, processor]}
        assert found["Metadata"]["BuildArchitecture"] == processor
        assert found["Properties"]["CompatibleArchitectures"] == [processor]


def literals(value: Any) -> list[Any]:
    """A literal, or those that conditions choose between."""
    return (
        [one for each in value["Fn::If"][1:] for one in literals(each)]
        if isinstance(value, dict)
        else [value]
    )


def test_the_gateways_limits_are_numbers_because_a_parameter_would_arrive_there_as_text() -> None:
    properties = RESOURCES["HttpApi"]["Properties"]
    settings_ = [properties["DefaultRouteSettings"], *properties["RouteSettings"].values()]
    found = [literals(value) for each in settings_ for value in each.values()]
    assert all(type(number) is int for numbers in found for number in numbers)


@pytest.mark.parametrize("value", TEMPLATE["Parameters"]["SubmitsPerSecond"]["AllowedValues"])
def test_the_gateway_lets_in_as_many_cases_as_the_parameter_says(value: int) -> None:
    chosen = RESOURCES["HttpApi"]["Properties"]["RouteSettings"]["POST /api/generate-case-images"]
    found = chosen["ThrottlingRateLimit"]
    while isinstance(found, dict):
        condition, yes, no = found["Fn::If"]
        compared = TEMPLATE["Conditions"][condition]["Fn::Equals"]
        assert compared[0] == {"Ref": "SubmitsPerSecond"}
        found = yes if compared[1] == value else no
    assert found == value


def test_names_that_all_regions_share_say_the_region() -> None:
    names = {
        "StatusCdnAccess": ("OriginAccessControlConfig", "Name"),
        "StatusCdnCaching": ("CachePolicyConfig", "Name"),
        "Dashboard": ("DashboardName",),
    }
    for logical_id, path in names.items():
        found = RESOURCES[logical_id]["Properties"]
        for part in path:
            found = found[part]
        assert found == {"Fn::Sub": "${AWS::StackName}-${AWS::Region}"}
    assert "name=${AWS::StackName}-${AWS::Region}" in TEMPLATE["Outputs"]["DashboardUrl"]["Value"]["Fn::Sub"]


def test_what_is_kept_is_not_kept_of_a_first_deployment_that_failed() -> None:
    kept = {name: r["DeletionPolicy"] for name, r in RESOURCES.items() if "DeletionPolicy" in r}
    assert kept == dict.fromkeys(("JobsTable", "ImageBucket"), "RetainExceptOnCreate")
    assert all(RESOURCES[name]["UpdateReplacePolicy"] == "Retain" for name in kept)


@pytest.mark.parametrize("function", ["worker", "deliverer", "sweeper"])
def test_what_is_invoked_asynchronously_is_never_tried_again_and_waits_for_a_minute_at_most(
    function: str,
) -> None:
    """Lambda would try twice more, and keep an event that finds no place for six hours."""
    asynchronous = FUNCTIONS[function]["EventInvokeConfig"]
    assert (asynchronous["MaximumRetryAttempts"], asynchronous["MaximumEventAgeInSeconds"]) == (0, 60)


def test_every_function_that_a_schedule_or_another_function_starts_is_one_of_those() -> None:
    scheduled = {
        name
        for name, function in FUNCTIONS.items()
        if any(event["Type"] == "Schedule" for event in function.get("Events", {}).values())
    }
    started = {
        resource
        for name in FUNCTIONS
        for action, resource in granted(name)
        if action == "lambda:InvokeFunction"
    }
    by_name = (
        "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-worker"
    )
    assert scheduled == {"sweeper"}
    assert started == {by_name, "WorkerFunction.Arn", "DelivererFunction.Arn"}


ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:games/gemini"


@pytest.mark.parametrize("name", ["GeminiSecretArn", "OpenAiSecretArn"])
def test_a_secret_of_ones_own_is_named_whole_because_the_policy_names_it_so(name: str) -> None:
    pattern = re.compile(TEMPLATE["Parameters"][name]["AllowedPattern"])
    assert pattern.fullmatch("")
    assert pattern.fullmatch(f"{ARN}-AbC123")
    for partial in (ARN, f"{ARN}-AbC12", f"{ARN}-AbC1234", "games/gemini", f"{ARN} -AbC123"):
        assert not pattern.fullmatch(partial), partial


def test_the_worker_may_decrypt_by_secrets_manager_and_with_the_key_that_is_given_only() -> None:
    [statement] = [s for s in statements_of("worker") if s["Action"] == "kms:Decrypt"]
    assert statement["Resource"] == {"Ref": "SecretKmsKeyArn"}
    via = {"kms:ViaService": {"Fn::Sub": "secretsmanager.${AWS::Region}.${AWS::URLSuffix}"}}
    assert statement["Condition"] == {"StringEquals": via}
    pattern = re.compile(TEMPLATE["Parameters"]["SecretKmsKeyArn"]["AllowedPattern"])
    assert pattern.fullmatch("arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    assert not pattern.fullmatch("arn:aws:kms:eu-central-1:123456789012:alias/games")


def test_the_worker_may_invoke_every_model_that_the_parameter_takes() -> None:
    pattern = re.compile(TEMPLATE["Parameters"]["BedrockModel"]["AllowedPattern"])
    assert pattern.fullmatch("stability.stable-image-core-v1:1")
    for profile in (
        "us.stability.stable-image-core-v1:1",
        "global.stability.x",
        "arn:aws:bedrock:us-west-2::x",
    ):
        assert not pattern.fullmatch(profile), profile
