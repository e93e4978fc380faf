"""Each route has its authorizer, its limit, its description and its HEAD."""

import json
from typing import Any

import pytest
from darkroom.api.app import WEBHOOK_PATH

from local import openapi
from testing.template import FUNCTIONS, PARAMETERS, RESOURCES, events_of, routes

GATEWAY = RESOURCES["HttpApi"]["Properties"]
DESCRIBED = json.loads(openapi.TARGET.read_text())
SUBMIT = "POST /api/generate-case-images"


def test_every_route_has_the_authorizer_except_signed_ones_the_page_and_the_route_of_unknown_paths() -> None:
    auth = GATEWAY["Auth"]
    assert auth["DefaultAuthorizer"] == "Callers"
    assert auth["Authorizers"]["Callers"]["FunctionArn"] == {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]}
    assert auth["Authorizers"]["Callers"]["Identity"]["Headers"] == ["Authorization"]
    exempt = {route.get("Path", "$default") for route in routes() if "Auth" in route}
    signed = {WEBHOOK_PATH, "/api/cases/{caseId}/images/{shotId}"}
    same_for_all = {"/cases/{caseId}", "/assets/{name}"}
    assert exempt == {*signed, *same_for_all, "$default"}


def test_the_api_description_says_which_routes_need_a_token() -> None:
    assert DESCRIBED["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for route in routes():
        if "Path" in route and route["Method"] != "HEAD":
            operation = DESCRIBED["paths"][route["Path"]][route["Method"].lower()]
            assert ("security" in operation) == ("Auth" not in route)
            assert ("401" in operation["responses"]) == ("Auth" not in route or route["Path"] == WEBHOOK_PATH)


def test_the_api_description_has_every_route_and_no_other() -> None:
    in_template = {(r["Method"].lower(), r["Path"]) for r in routes() if r.get("Method", "HEAD") != "HEAD"}
    assert in_template == {
        (method, path) for path, methods in DESCRIBED["paths"].items() for method in methods
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_get_route_has_a_head_route_with_the_same_authorizer(function: str) -> None:
    found: dict[str, list[dict[str, Any]]] = {"GET": [], "HEAD": []}
    for route in events_of(function, "HttpApi"):
        if route.get("Method") in found:
            found[route["Method"]].append({name: v for name, v in route.items() if name != "Method"})
    assert found["GET"] == found["HEAD"]


def test_limits_are_set_only_for_routes_that_exist() -> None:
    assert GATEWAY["RouteSettings"].keys() <= {f"{r['Method']} {r['Path']}" for r in routes() if "Path" in r}


def test_submissions_have_a_lower_limit_than_other_requests_and_snapshots_a_higher_one() -> None:
    usual = GATEWAY["DefaultRouteSettings"]["ThrottlingRateLimit"]
    snapshots = GATEWAY["RouteSettings"][f"POST {WEBHOOK_PATH}"]["ThrottlingRateLimit"]
    assert max(PARAMETERS["SubmitsPerSecond"]["AllowedValues"]) < usual < snapshots


def test_replays_have_a_low_limit() -> None:
    replay = GATEWAY["RouteSettings"]["POST /api/cases/{caseId}/image-job/callbacks/{version}/replay"]
    assert replay == {"ThrottlingRateLimit": 2, "ThrottlingBurstLimit": 5}


def literals(value: Any) -> list[Any]:
    """Return a literal, or the literals that conditions choose between."""
    if isinstance(value, dict):
        return [one for each in value["Fn::If"][1:] for one in literals(each)]
    return [value]


def test_limits_are_literal_numbers_because_a_parameter_would_be_passed_on_as_text() -> None:
    limits = [GATEWAY["DefaultRouteSettings"], *GATEWAY["RouteSettings"].values()]
    found = [number for each in limits for value in each.values() for number in literals(value)]
    assert all(type(number) is int for number in found)
