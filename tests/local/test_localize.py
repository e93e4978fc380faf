"""The rewrites of the template for the emulator."""

import string
from typing import Any

from local import cloudformation, package, sam
from local.localize import (
    LAYER,
    REWRITES,
    Local,
    code_from_s3,
    http_api_in_native_resources,
    localize,
    one_layer,
    secrets_without_punctuation,
    without_gradual_deployment,
    without_metric_math,
)

TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
LOCAL = Local(
    code_bucket="code",
    code_keys={logical_id: f"{logical_id}.zip" for logical_id in [*sam.functions(TEMPLATE), LAYER]},
    api_id="0a1b2c3d",
)
RESULT = localize(TEMPLATE, LOCAL)["Resources"]


def test_there_are_no_other_rewrites() -> None:
    expected = (
        one_layer,
        code_from_s3,
        http_api_in_native_resources,
        secrets_without_punctuation,
        without_metric_math,
        without_gradual_deployment,
    )
    assert expected == REWRITES


def test_the_template_itself_is_not_changed() -> None:
    assert cloudformation.load(package.ROOT / "template.yaml") == TEMPLATE


def test_one_layer_replaces_all_others() -> None:
    assert [n for n, r in RESULT.items() if r["Type"] == "AWS::Serverless::LayerVersion"] == [LAYER]
    assert localize(TEMPLATE, LOCAL)["Globals"]["Function"]["Layers"] == [{"Ref": "DarkroomLayer"}]


def test_code_comes_from_s3() -> None:
    assert RESULT["WorkerFunction"]["Properties"]["CodeUri"] == "s3://code/WorkerFunction.zip"
    assert RESULT["DarkroomLayer"]["Properties"]["ContentUri"] == "s3://code/DarkroomLayer.zip"


def test_the_api_has_the_same_routes_to_the_same_functions() -> None:
    expected = {
        (
            f"{event['Properties']['Method']} {event['Properties']['Path']}"
            if "Path" in event["Properties"]
            else "$default",
            function,
        )
        for function, resource in TEMPLATE["Resources"].items()
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }
    routes = {
        (
            resource["Properties"]["RouteKey"],
            resource["Properties"]["Target"]["Fn::Sub"]
            .removeprefix("integrations/${")
            .removesuffix("Integration}"),
        )
        for resource in RESULT.values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    }
    assert routes == expected
    assert ("$default", "ReaderFunction") in routes


def test_the_api_has_the_given_id_and_payload_format_two() -> None:
    assert RESULT["HttpApi"]["Properties"]["Tags"] == {"ms-custom-id": "0a1b2c3d"}
    integrations = [r for r in RESULT.values() if r["Type"] == "AWS::ApiGatewayV2::Integration"]
    assert {i["Properties"]["PayloadFormatVersion"] for i in integrations} == {"2.0"}


def test_the_same_routes_have_the_same_authorizer() -> None:
    open_routes = {
        f"{event['Properties']['Method']} {event['Properties']['Path']}"
        if "Path" in event["Properties"]
        else "$default"
        for resource in TEMPLATE["Resources"].values()
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi" and event["Properties"].get("Auth") == {"Authorizer": "NONE"}
    }
    routes = [r["Properties"] for r in RESULT.values() if r["Type"] == "AWS::ApiGatewayV2::Route"]
    for route in routes:
        if route["RouteKey"] in open_routes:
            assert "AuthorizationType" not in route
        else:
            assert (route["AuthorizationType"], route["AuthorizerId"]) == ("CUSTOM", {"Ref": "Callers"})
    assert len(routes) > len(open_routes) > 0
    authorizer = RESULT["Callers"]["Properties"]
    assert "${AuthorizerFunction.Arn}" in authorizer["AuthorizerUri"]["Fn::Sub"]
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert (authorizer["EnableSimpleResponses"], authorizer["AuthorizerResultTtlInSeconds"]) == (True, 300)


def generated(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {name: r.get("Properties", {}).get("GenerateSecretString") for name, r in resources.items()}
    return {name: made for name, made in found.items() if made is not None}


def test_generated_secrets_have_no_punctuation() -> None:
    as_written = generated(TEMPLATE["Resources"])
    assert {"WebhookSecret", "ApiTokens"} <= as_written.keys()
    assert all(made["ExcludePunctuation"] for made in as_written.values())
    for name, made in generated(RESULT).items():
        expected = as_written[name] | {"ExcludeCharacters": string.punctuation}
        del expected["ExcludePunctuation"]
        assert made == expected


def test_only_alarms_on_an_expression_are_removed() -> None:
    gone = TEMPLATE["Resources"].keys() - RESULT.keys()
    assert gone == {"FailureRateAlarm", "BytecodeLayer", "DarkroomArm64Layer", "DarkroomX86Layer"}
    assert "Metrics" in TEMPLATE["Resources"]["FailureRateAlarm"]["Properties"]


def test_gradual_deployment_is_removed() -> None:
    before = TEMPLATE["Resources"]["ReaderFunction"]["Properties"]
    after = RESULT["ReaderFunction"]["Properties"]
    assert before.keys() - after.keys() == {"DeploymentPreference"}
    assert after["AutoPublishAlias"] == before["AutoPublishAlias"]


def test_nothing_else_is_changed() -> None:
    added = ("AWS::ApiGatewayV2::", "AWS::Lambda::Permission")
    for logical_id, resource in RESULT.items():
        if logical_id in ("HttpApi", LAYER) or resource["Type"].startswith(added):
            continue
        before = dict(TEMPLATE["Resources"][logical_id]["Properties"])
        after = dict(resource["Properties"])
        for changed in ("CodeUri", "ContentUri", "Events", "DeploymentPreference", "GenerateSecretString"):
            before.pop(changed, None), after.pop(changed, None)
        assert after == before
    schedules = RESULT["SweeperFunction"]["Properties"]["Events"]
    assert schedules == TEMPLATE["Resources"]["SweeperFunction"]["Properties"]["Events"]
