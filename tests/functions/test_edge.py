"""Properties of all routes: HEAD, malformed ids, the public URL, If-Match, and throttling."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from darkroom.adapters import aws as clients
from darkroom.api.app import WEBHOOK_PATH

from local import openapi
from testing.function_calls import request_for, send_snapshot, snapshot_body
from testing.functions import Functions, Response, event, fail, request
from testing.template import FUNCTIONS

PATH = "/api/cases/case-42/image-job"
PARAMETERS = {"caseId": "case-42", "shotId": "evidence-1", "version": "1", "name": "viewer.js"}


def routes(*methods: str) -> list[tuple[str, str, str]]:
    """Return function, method and path of every route of the template."""
    return [
        (name, found["Properties"]["Method"], found["Properties"]["Path"])
        for name, function in FUNCTIONS.items()
        for found in function.get("Events", {}).values()
        if found["Type"] == "HttpApi" and found["Properties"].get("Method") in methods
    ]


def filled(path: str, **other: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: (PARAMETERS | other)[found[1]], path)


def test_head_returns_what_get_returns_without_the_body(functions: Functions, job: dict[str, Any]) -> None:
    for function, _, path in routes("GET"):
        got, head = (functions.call(function, request(m, filled(path))) for m in ("GET", "HEAD"))
        assert (head.status, head.headers, head.text) == (got.status, got.headers, "")
        assert got.status == (404 if "images" in path else 200)


def test_head_redirects_to_a_picture_and_returns_304_for_an_unchanged_job(
    functions: Functions, job: dict[str, Any]
) -> None:
    head = request_for(job["evidenceImages"]["evidence-1"])
    head["requestContext"]["http"]["method"] = "HEAD"
    response = functions.call("reader", head)
    assert (response.status, response.text) == (302, "")
    tag = functions.call("reader", request("HEAD", PATH)).headers["etag"]
    known = request("HEAD", PATH)
    known["headers"]["if-none-match"] = tag
    assert functions.call("reader", known).status == 304


@pytest.mark.parametrize(
    ("path", "status", "allow"),
    [("/api/nope", 404, None), ("/api/generate-case-images", 405, "POST")],
)
def test_head_without_a_route_has_the_status_of_the_problem_and_no_body(
    functions: Functions, path: str, status: int, allow: str | None
) -> None:
    response = functions.call("reader", request("HEAD", path))
    assert (response.status, response.text, response.headers.get("allow")) == (status, "", allow)


IMPOSSIBLE = ["a" * 65, "a" * 3000, "x:y", "%2e%2e", "..", "a b", "caf\u00e9", "\u0661", "a\x00", "~"]


@pytest.fixture
def table_requests(functions: Functions) -> Iterator[list[str]]:
    """Return the list to which the operations of requests to the table are added, in order."""
    found: list[str] = []
    events = clients.dynamodb().meta.events
    events.register("before-call", lambda model, **_: found.append(model.name), unique_id="table_requests")
    yield found
    events.unregister("before-call", unique_id="table_requests")


@pytest.mark.parametrize("function", ["callbacks", "initiator", "reader"])
def test_a_malformed_id_in_a_path_is_a_404_without_a_request_to_the_table(
    functions: Functions, table_requests: list[str], function: str
) -> None:
    for name, method, path in routes("GET", "HEAD", "POST", "DELETE"):
        for parameter in re.findall(r"{(\w+)}", path) if name == function else ():
            for text in IMPOSSIBLE:
                incoming = request(method, filled(path, **{parameter: text}))
                response = functions.call(function, incoming)
                assert response.status == 404
                if method != "HEAD":
                    assert response.json["code"] in {"route_not_found", *described_codes(method, path, 404)}
    assert table_requests == []


def described_codes(method: str, path: str, status: int) -> list[str]:
    described = json.loads(openapi.TARGET.read_text())["paths"][path][method.lower()]
    return re.findall(r"`(\w+)`", described["responses"][str(status)]["description"])


def test_only_these_functions_have_parameters_in_their_paths() -> None:
    assert {name for name, _, path in routes("GET", "POST", "DELETE") if "{" in path} == {
        "callbacks",
        "initiator",
        "reader",
    }


def test_a_malformed_version_in_a_path_is_a_404_without_a_request_to_the_table(
    functions: Functions, table_requests: list[str]
) -> None:
    for version in ("0", "-1", "01", "1.0", "9" * 10, "9" * 400, "\u0661", "1e3", " 1"):
        response = functions.call("callbacks", request("POST", f"{PATH}/callbacks/{version}/replay"))
        assert (response.status, response.json["code"]) == (404, "delivery_not_found")
    assert table_requests == []


def test_a_wrong_picture_link_has_the_same_response_whether_the_case_exists_or_not(
    functions: Functions, job: dict[str, Any], table_requests: list[str]
) -> None:
    table_requests.clear()
    responses = [
        functions.call(
            "reader",
            request("GET", f"/api/cases/{case_id}/images/{shot_id}", queryStringParameters={"s": token}),
        )
        for case_id in ("case-42", "case-43")
        for shot_id in ("evidence-1", "evidence-2", "x")
        for token in ("y", "\u00e9", "\udcff", "")
    ]
    assert len({(a.status, a.text, tuple(sorted(a.headers.items()))) for a in responses}) == 1
    assert responses[0].json["code"] == "image_not_found"
    assert table_requests == ["GetItem"] * len(responses)


def test_the_public_url_may_have_a_path(functions: Functions) -> None:
    for function, method, path in routes("GET", "POST", "DELETE"):
        functions.load(function, PUBLIC_URL="https://example.com/games/darkroom")
        plain = functions.call(function, request(method, filled(path)))
        below = functions.call(function, request(method, "/games/darkroom" + filled(path)))
        assert (below.status, below.text) == (plain.status, plain.text)
        assert below.status != 404 or below.json["code"] != "route_not_found"


def test_a_405_names_the_methods_when_the_public_url_has_a_path(functions: Functions) -> None:
    functions.load("reader", PUBLIC_URL="https://example.com/darkroom/")
    response = functions.call("reader", request("PUT", f"/darkroom{PATH}"))
    assert (response.status, response.headers["allow"]) == (405, "DELETE, GET, HEAD")
    assert functions.call("reader", request("GET", f"/darkroomer{PATH}")).json["code"] == "route_not_found"


def submitted(functions: Functions, **query: str) -> Response:
    return functions.call("initiator", event("initiator") | {"queryStringParameters": query})


def test_a_submission_returns_the_headers_for_the_first_poll(functions: Functions) -> None:
    accepted = submitted(functions)
    again = request("GET", PATH)
    again["headers"]["if-none-match"] = accepted.headers["etag"]
    polled = functions.call("reader", again)
    assert (accepted.status, polled.status) == (202, 304)
    for name in ("etag", "retry-after", "cache-control"):
        assert accepted.headers[name] == polled.headers[name]


def test_a_cancelled_job_has_no_retry_after(functions: Functions) -> None:
    submitted(functions)
    cancelled = functions.call("initiator", request("DELETE", PATH))
    assert cancelled.headers["etag"] == functions.call("reader", request("GET", PATH)).headers["etag"]
    assert "retry-after" not in cancelled.headers


def test_the_table_is_not_read_after_a_job_is_stored(functions: Functions, table_requests: list[str]) -> None:
    submitted(functions)
    assert table_requests[-1] == "TransactWriteItems"
    fail("case-42")
    assert retried(functions).status == 202
    assert table_requests[-1] in {"PutItem", "TransactWriteItems"}
    functions.call("initiator", request("DELETE", PATH))
    assert table_requests[-1] == "PutItem"


def retried(functions: Functions, if_match: str | None = None, case_id: str = "") -> Response:
    incoming = request("POST", f"{PATH}/retry")
    if if_match is not None:
        incoming["headers"]["if-match"] = if_match
    if case_id:
        incoming["requestContext"]["authorizer"]["lambda"] |= {
            "caller": "share-link",
            "scopes": "read retry",
            "caseId": case_id,
        }
    return functions.call("initiator", incoming)


@pytest.mark.parametrize(
    "form", ['"old.1.links", {}', "{}, {}", "{} ,", "*", '"{state}"', '"{state}.inline"']
)
def test_a_retry_is_accepted_if_if_match_names_the_jobs_state(functions: Functions, form: str) -> None:
    submitted(functions)
    tag = functions.call("initiator", request("DELETE", PATH)).headers["etag"]
    state = tag.strip('"').removesuffix(".links")
    assert retried(functions, form.replace("{}", tag).replace("{state}", state)).status == 202


@pytest.mark.parametrize("form", ['"old.1.links"', "W/{}", '"other", W/{}', '""'])
def test_a_retry_is_a_412_if_if_match_names_another_state_or_a_weak_tag(
    functions: Functions, form: str
) -> None:
    submitted(functions)
    tag = functions.call("initiator", request("DELETE", PATH)).headers["etag"]
    response = retried(functions, form.replace("{}", tag))
    assert (response.status, response.json["code"]) == (412, "stale_version")


@pytest.mark.parametrize("form", ["abc", '"abc', "", '*, "a"', '"a" "b"'])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{PATH}/retry"), ("DELETE", PATH), ("POST", "/api/generate-case-images")],
)
def test_a_malformed_if_match_is_a_400_and_changes_nothing(
    functions: Functions, method: str, path: str, form: str
) -> None:
    submitted(functions)
    before = functions.call("reader", request("GET", PATH)).json
    incoming = request(method, path, body=event("initiator")["body"] if "generate" in path else None)
    incoming["headers"]["if-match"] = form
    response = functions.call("initiator", incoming)
    assert (response.status, response.json["errors"][0]["field"]) == (400, "If-Match")
    assert functions.call("reader", request("GET", PATH)).json == before


@pytest.mark.parametrize("form", ['"job.1.links"', "*"])
def test_if_match_fails_for_a_case_that_does_not_exist(functions: Functions, form: str) -> None:
    incoming = event("initiator")
    incoming["headers"]["if-match"] = form
    assert functions.call("initiator", incoming).status == 412
    assert functions.call("reader", request("GET", PATH)).status == 404


def test_a_job_in_another_state_than_if_match_names_is_not_cancelled(functions: Functions) -> None:
    tag = submitted(functions).headers["etag"]
    stale = request("DELETE", PATH)
    stale["headers"]["if-match"] = '"job.1.links"'
    assert functions.call("initiator", stale).status == 412
    stale["headers"]["if-match"] = tag
    assert functions.call("initiator", stale).status == 200


def test_a_retry_by_a_share_link_returns_no_url_that_needs_no_token(functions: Functions) -> None:
    owner = submitted(functions, share="retry")
    assert owner.json["statusUrl"].startswith("https://status.example.com/status/")
    fail("case-42")
    guest = retried(functions, case_id="case-42")
    assert guest.status == 202
    assert not {"statusUrl", "shareUrl"} & guest.json.keys()
    assert "status.example.com" not in guest.text + json.dumps(guest.headers)


def test_the_openapi_description_mentions_head() -> None:
    described = json.loads(openapi.TARGET.read_text())
    assert "HEAD" in described["info"]["description"]


def throttle(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """Return a throttled response in place of the table's."""
    parsed = {
        "Error": {"Code": "ThrottlingException", "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return AWSResponse("https://table", 400, HTTPHeaders(), None), parsed


WITHOUT_THE_TABLE = {"/cases/{caseId}", "/assets/{name}", "/api/openapi.json", "/api/callback-secret"}


def test_every_route_returns_503_with_retry_after_when_the_table_is_throttled(
    functions: Functions, job: dict[str, Any]
) -> None:
    events: Any = clients.dynamodb().meta.events
    for function, method, path in routes("GET", "POST", "DELETE"):
        functions.load(function)
        incoming = request(
            method, filled(path), body=event("initiator")["body"] if "generate" in path else None
        )
        events.register("before-call.dynamodb", throttle, unique_id="throttle")
        try:
            if path == WEBHOOK_PATH:
                response = send_snapshot(functions, snapshot_body(job, kind="progress", sequence=9))
            else:
                response = functions.call(function, incoming)
        finally:
            events.unregister("before-call.dynamodb", unique_id="throttle")
        if path in WITHOUT_THE_TABLE:
            assert response.status == 200
        else:
            assert (path, response.status, response.json["code"]) == (path, 503, "busy")
            assert response.headers["retry-after"] == "1"


def test_an_internal_error_of_the_table_is_a_503_with_retry_after(
    functions: Functions, job: dict[str, Any]
) -> None:
    with Stubber(clients.dynamodb()) as stubber:
        stubber.add_client_error("get_item", "InternalServerError", http_status_code=500)
        response = functions.call("reader", request("GET", PATH))
    assert (response.status, response.json["code"], response.headers["retry-after"]) == (503, "busy", "1")


def test_a_throttled_secret_is_a_503_with_retry_after(functions: Functions, job: dict[str, Any]) -> None:
    functions.forget("reader")
    functions.load("reader")
    with Stubber(clients.secretsmanager()) as stubber:
        stubber.add_client_error("get_secret_value", "ThrottlingException", http_status_code=400)
        response = functions.call("reader", request("GET", PATH))
    assert (response.status, response.json["code"], response.headers["retry-after"]) == (503, "busy", "1")
