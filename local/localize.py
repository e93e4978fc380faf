"""Rewrite the template for the emulator: every rewrite is here, and each has a test.

Everything else that differs from AWS is set by parameters of the template.
"""

import copy
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

type Template = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Local:
    """The values that the rewrites insert."""

    code_bucket: str
    code_keys: Mapping[str, str]
    """Logical id of a function or layer → key of its zip."""
    api_id: str
    """Eight hexadecimal digits."""


def code_from_s3(template: Template, local: Local) -> None:
    """Name the zips in S3: the emulator takes code from S3 only, and `sam deploy` does the same for AWS."""
    for logical_id, key in local.code_keys.items():
        properties = template["Resources"][logical_id]["Properties"]
        name = "CodeUri" if "CodeUri" in properties else "ContentUri"
        properties[name] = f"s3://{local.code_bucket}/{key}"


LAYER = "DarkroomLayer"
"""The logical id of the emulator's layer."""


def one_layer(template: Template, local: Local) -> None:
    """Replace the layers for each processor and for bytecode by one layer.

    `package.py` builds it for this machine with everything that functions import. Its bytecode is compiled
    by the emulator's Python.
    """
    resources = template["Resources"]
    for name in [n for n, r in resources.items() if r["Type"] == "AWS::Serverless::LayerVersion"]:
        del resources[name]
    resources[LAYER] = {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {"ContentUri": "", "RetentionPolicy": "Delete"},
    }
    template["Globals"]["Function"]["Layers"] = [{"Ref": LAYER}]


def http_api_in_native_resources(template: Template, local: Local) -> None:
    """Write the routes as AWS::ApiGatewayV2 resources.

    The emulator ignores the OpenAPI body that SAM makes of an HttpApi and its events. The API's id is fixed,
    so that its address is known before the stack exists.
    """
    resources = template["Resources"]
    api = resources["HttpApi"]
    resources["HttpApi"] = {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {
            "Name": api["Properties"]["Description"],
            "ProtocolType": "HTTP",
            "Tags": {"ms-custom-id": local.api_id},
        },
    }
    resources["HttpApiStage"] = {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"ApiId": {"Ref": "HttpApi"}, "StageName": "$default", "AutoDeploy": True},
    }
    auth = api["Properties"]["Auth"]
    for name, authorizer in auth["Authorizers"].items():
        resources |= _native_authorizer(name, authorizer)
    for function_id, function in list(resources.items()):
        if function["Type"] == "AWS::Serverless::Function":
            events = function["Properties"].get("Events", {})
            routes = [events.pop(e) for e, v in list(events.items()) if v["Type"] == "HttpApi"]
            if routes:
                given = [r["Properties"] for r in routes]
                resources |= _native_routes(function_id, given, auth["DefaultAuthorizer"])


def _native_authorizer(name: str, authorizer: Template) -> Template:
    function: str = authorizer["FunctionArn"]["Fn::GetAtt"][0]
    identity = authorizer["Identity"]
    return {
        name: {
            "Type": "AWS::ApiGatewayV2::Authorizer",
            "Properties": {
                "ApiId": {"Ref": "HttpApi"},
                "Name": name,
                "AuthorizerType": "REQUEST",
                "AuthorizerUri": {
                    "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path"
                    f"/2015-03-31/functions/${{{function}.Arn}}/invocations"
                },
                "AuthorizerPayloadFormatVersion": authorizer["AuthorizerPayloadFormatVersion"],
                "EnableSimpleResponses": authorizer["EnableSimpleResponses"],
                "AuthorizerResultTtlInSeconds": identity["ReauthorizeEvery"],
                "IdentitySource": [f"$request.header.{header}" for header in identity["Headers"]],
            },
        },
        f"{function}ApiPermission": _permission(function),
    }


def _permission(function_id: str) -> Template:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": function_id},
            "Principal": "apigateway.amazonaws.com",
        },
    }


def _native_routes(function_id: str, routes: list[Template], default_authorizer: str) -> Template:
    integration_id = f"{function_id}Integration"
    made: Template = {
        integration_id: {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "HttpApi"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": [function_id, "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        f"{function_id}ApiPermission": _permission(function_id),
    }
    for route in routes:
        key = f"{route['Method']} {route['Path']}" if "Path" in route else "$default"
        authorizer = route.get("Auth", {}).get("Authorizer", default_authorizer)
        custom = {"AuthorizationType": "CUSTOM", "AuthorizerId": {"Ref": authorizer}}
        made[f"{function_id}Route{re.sub(r'\W', '', key)}"] = {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "HttpApi"},
                "RouteKey": key,
                "Target": {"Fn::Sub": f"integrations/${{{integration_id}}}"},
                **({} if authorizer == "NONE" else custom),
            },
        }
    return made


def secrets_without_punctuation(template: Template, local: Local) -> None:
    """Write `ExcludePunctuation` as `ExcludeCharacters`: the emulator ignores the former.

    With punctuation the webhook's secret is not base64, and a shell changes a token that is pasted.
    """
    for resource in template["Resources"].values():
        generated = resource.get("Properties", {}).get("GenerateSecretString", {})
        if generated.pop("ExcludePunctuation", False):
            generated["ExcludeCharacters"] = string.punctuation


def without_metric_math(template: Template, local: Local) -> None:
    """Remove the alarms on an expression: the emulator refuses them, and has none of our metrics anyway."""
    resources = template["Resources"]
    for name in [n for n, r in resources.items() if "Metrics" in r.get("Properties", {})]:
        if resources[name]["Type"] == "AWS::CloudWatch::Alarm":
            del resources[name]


def without_gradual_deployment(template: Template, local: Local) -> None:
    """Remove CodeDeploy, which the emulator lacks; it does have versions and aliases."""
    for resource in template["Resources"].values():
        resource.get("Properties", {}).pop("DeploymentPreference", None)


REWRITES: tuple[Callable[[Template, Local], None], ...] = (
    one_layer,
    code_from_s3,
    http_api_in_native_resources,
    secrets_without_punctuation,
    without_metric_math,
    without_gradual_deployment,
)


def localize(template: Template, local: Local) -> Template:
    """Return the template for the emulator; `template` itself stays unchanged."""
    result = copy.deepcopy(template)
    for rewrite in REWRITES:
        rewrite(result, local)
    return result
