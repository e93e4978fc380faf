"""What holds of every route: HEAD, ids, prefixes, conditions, and what a stranger may learn."""

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
from testing.function_calls import deliver, request_of, snapshot
from testing.functions import Functions, Response, event, fail, request
from testing.template import FUNCTIONS

PATH = "/api/cases/case-42/image-job"
PARAMETERS = {"caseId": "case-42", "shotId": "evidence-1", "version": "1", "name": "viewer.js"}


def routes(*methods: str) -> list[tuple[str, str, str]]:
    """Function, method and path of every route of the template."""
    return [
        (name, found["Properties"]["Method"], found["Properties"]["Path"])
        for name, function in FUNCTIONS.items()
        for found in function.get("Events", {}).values()
        if found["Type"] == "HttpApi" and found["Properties"].get("Method") in methods
    ]


def filled(path: str, **other: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: (PARAMETERS | other)[found[1]], path)


def test_head_is_answered_as_get_without_the_body(functions: Functions, job: dict[str, Any]) -> None:
    for function, _, path in routes("GET"):
        got, head = (functions.call(function, request(m, filled(path))) for m in ("GET", "HEAD"))
        assert (head.status, head.headers, head.text) == (got.status, got.headers, "")
        assert got.status == (404 if "images" in path else 200)


def test_head_of_a_picture_leads_where_get_does_and_a_known_job_is_a_304(
    functions: Functions, job: dict[str, Any]
) -> None:
    head = request_of(job["evidenceImages"]["evidence-1"])
    head["requestContext"]["http"]["method"] = "HEAD"
    answer = functions.call("reader", head)
    assert (answer.status, answer.text) == (302, "")
    tag = functions.call("reader", request("HEAD", PATH)).headers["etag"]
    known = request("HEAD", PATH)
    known["headers"]["if-none-match"] = tag
    assert functions.call("reader", known).status == 304


@pytest.mark.parametrize(
    ("path", "status", "allow"),
    [("/api/nope", 404, None), ("/api/generate-case-images", 405, "POST")],
)
def test_head_without_a_route_is_a_problem_without_its_body(
    functions: Functions, path: str, status: int, allow: str | None
) -> None:
    answer = functions.call("reader", request("HEAD", path))
    assert (answer.status, answer.text, answer.headers.get("allow")) == (status, "", allow)


IMPOSSIBLE = ["a" * 65, "a" * 3000, "x:y", "%2e%2e", "..", "a b", "caf\u00e9", "\u0661", "a\x00", "~"]


@pytest.fixture
def asked(functions: Functions) -> Iterator[list[str]]:
    """What is asked of the table, in order."""
    found: list[str] = []
    events = clients.dynamodb().meta.events
    events.register("before-call", lambda model, **_: found.append(model.name), unique_id="asked")
    yield found
    events.unregister("before-call", unique_id="asked")


@pytest.mark.parametrize("function", ["callbacks", "initiator", "reader"])
def test_what_no_id_can_be_is_not_found_and_nothing_is_looked_up(
    functions: Functions, asked: list[str], function: str
) -> None:
    for name, method, path in routes("GET", "HEAD", "POST", "DELETE"):
        for parameter in re.findall(r"{(\w+)}", path) if name == function else ():
            for text in IMPOSSIBLE:
                incoming = request(method, filled(path, **{parameter: text}))
                answer = functions.call(function, incoming)
                assert answer.status == 404
                if method != "HEAD":
                    assert answer.json["code"] in {"route_not_found", *described_codes(method, path, 404)}
    assert asked == []


def described_codes(method: str, path: str, status: int) -> list[str]:
    described = json.loads(openapi.TARGET.read_text())["paths"][path][method.lower()]
    return re.findall(r"`(\w+)`", described["responses"][str(status)]["description"])


def test_only_these_functions_have_parameters_in_their_paths() -> None:
    assert {name for name, _, path in routes("GET", "POST", "DELETE") if "{" in path} == {
        "callbacks",
        "initiator",
        "reader",
    }


def test_what_no_version_can_be_has_no_delivery(functions: Functions, asked: list[str]) -> None:
    for version in ("0", "-1", "01", "1.0", "9" * 10, "9" * 400, "\u0661", "1e3", " 1"):
        answer = functions.call("callbacks", request("POST", f"{PATH}/callbacks/{version}/replay"))
        assert (answer.status, answer.json["code"]) == (404, "delivery_not_found")
    assert asked == []


def test_a_stranger_is_told_the_same_whether_the_case_exists_or_not(
    functions: Functions, job: dict[str, Any], asked: list[str]
) -> None:
    asked.clear()
    answers = [
        functions.call(
            "reader",
            request("GET", f"/api/cases/{case_id}/images/{shot_id}", queryStringParameters={"s": token}),
        )
        for case_id in ("case-42", "case-43")
        for shot_id in ("evidence-1", "evidence-2", "x")
        for token in ("y", "\u00e9", "\udcff", "")
    ]
    assert len({(a.status, a.text, tuple(sorted(a.headers.items()))) for a in answers}) == 1
    assert answers[0].json["code"] == "image_not_found"
    assert asked == ["GetItem"] * len(answers)


def test_the_api_can_lie_below_a_path_of_its_public_address(functions: Functions) -> None:
    for function, method, path in routes("GET", "POST", "DELETE"):
        functions.load(function, PUBLIC_URL="https://example.com/games/darkroom")
        plain = functions.call(function, request(method, filled(path)))
        below = functions.call(function, request(method, "/games/darkroom" + filled(path)))
        assert (below.status, below.text) == (plain.status, plain.text)
        assert below.status != 404 or below.json["code"] != "route_not_found"


def test_a_method_without_a_route_is_told_below_a_path_too(functions: Functions) -> None:
    functions.load("reader", PUBLIC_URL="https://example.com/darkroom/")
    answer = functions.call("reader", request("PUT", f"/darkroom{PATH}"))
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    assert functions.call("reader", request("GET", f"/darkroomer{PATH}")).json["code"] == "route_not_found"


def submitted(functions: Functions, **query: str) -> Response:
    return functions.call("initiator", event("initiator") | {"queryStringParameters": query})


def test_what_was_accepted_can_be_polled_at_once(functions: Functions) -> None:
    accepted = submitted(functions)
    again = request("GET", PATH)
    again["headers"]["if-none-match"] = accepted.headers["etag"]
    polled = functions.call("reader", again)
    assert (accepted.status, polled.status) == (202, 304)
    for name in ("etag", "retry-after", "cache-control"):
        assert accepted.headers[name] == polled.headers[name]


def test_a_cancelled_job_is_not_to_be_asked_for_again(functions: Functions) -> None:
    submitted(functions)
    cancelled = functions.call("initiator", request("DELETE", PATH))
    assert cancelled.headers["etag"] == functions.call("reader", request("GET", PATH)).headers["etag"]
    assert "retry-after" not in cancelled.headers


def test_nothing_is_read_after_a_job_was_stored_so_a_busy_table_keeps_no_worker_from_it(
    functions: Functions, asked: list[str]
) -> None:
    submitted(functions)
    assert asked[-1] == "TransactWriteItems"
    fail("case-42")
    assert retried(functions).status == 202
    assert asked[-1] in {"PutItem", "TransactWriteItems"}
    functions.call("initiator", request("DELETE", PATH))
    assert asked[-1] == "PutItem"


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
def test_a_retry_of_the_state_that_was_seen_is_taken_in_every_form(functions: Functions, form: str) -> None:
    submitted(functions)
    tag = functions.call("initiator", request("DELETE", PATH)).headers["etag"]
    state = tag.strip('"').removesuffix(".links")
    assert retried(functions, form.replace("{}", tag).replace("{state}", state)).status == 202


@pytest.mark.parametrize("form", ['"old.1.links"', "W/{}", '"other", W/{}', '""'])
def test_a_retry_of_another_state_or_with_a_weak_tag_is_stale(functions: Functions, form: str) -> None:
    submitted(functions)
    tag = functions.call("initiator", request("DELETE", PATH)).headers["etag"]
    answer = retried(functions, form.replace("{}", tag))
    assert (answer.status, answer.json["code"]) == (412, "stale_version")


@pytest.mark.parametrize("form", ["abc", '"abc', "", '*, "a"', '"a" "b"'])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", f"{PATH}/retry"), ("DELETE", PATH), ("POST", "/api/generate-case-images")],
)
def test_a_condition_that_cannot_be_read_is_refused_and_nothing_is_done(
    functions: Functions, method: str, path: str, form: str
) -> None:
    submitted(functions)
    before = functions.call("reader", request("GET", PATH)).json
    incoming = request(method, path, body=event("initiator")["body"] if "generate" in path else None)
    incoming["headers"]["if-match"] = form
    answer = functions.call("initiator", incoming)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "If-Match")
    assert functions.call("reader", request("GET", PATH)).json == before


@pytest.mark.parametrize("form", ['"job.1.links"', "*"])
def test_a_case_that_there_is_not_is_in_no_state(functions: Functions, form: str) -> None:
    incoming = event("initiator")
    incoming["headers"]["if-match"] = form
    assert functions.call("initiator", incoming).status == 412
    assert functions.call("reader", request("GET", PATH)).status == 404


def test_a_job_in_another_state_is_not_cancelled(functions: Functions) -> None:
    tag = submitted(functions).headers["etag"]
    stale = request("DELETE", PATH)
    stale["headers"]["if-match"] = '"job.1.links"'
    assert functions.call("initiator", stale).status == 412
    stale["headers"]["if-match"] = tag
    assert functions.call("initiator", stale).status == 200


def test_whoever_has_a_share_link_gets_no_address_that_needs_no_token(functions: Functions) -> None:
    owner = submitted(functions, share="retry")
    assert owner.json["statusUrl"].startswith("https://status.example.com/status/")
    fail("case-42")
    guest = retried(functions, case_id="case-42")
    assert guest.status == 202
    assert not {"statusUrl", "shareUrl"} & guest.json.keys()
    assert "status.example.com" not in guest.text + json.dumps(guest.headers)


def test_the_description_says_that_get_routes_take_head() -> None:
    described = json.loads(openapi.TARGET.read_text())
    assert "HEAD" in described["info"]["description"]


def throttle(model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
    """In place of an answer of the table."""
    parsed = {
        "Error": {"Code": "ThrottlingException", "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return AWSResponse("https://table", 400, HTTPHeaders(), None), parsed


WITHOUT_THE_TABLE = {"/cases/{caseId}", "/assets/{name}", "/api/openapi.json", "/api/callback-secret"}


def test_a_throttled_table_is_a_503_that_says_when_to_ask_again_on_every_route(
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
                answer = deliver(functions, snapshot(job, kind="progress", sequence=9))
            else:
                answer = functions.call(function, incoming)
        finally:
            events.unregister("before-call.dynamodb", unique_id="throttle")
        if path in WITHOUT_THE_TABLE:
            assert answer.status == 200
        else:
            assert (path, answer.status, answer.json["code"]) == (path, 503, "busy")
            assert answer.headers["retry-after"] == "1"


def test_a_table_that_fails_for_a_moment_is_to_be_asked_again(
    functions: Functions, job: dict[str, Any]
) -> None:
    with Stubber(clients.dynamodb()) as stubber:
        stubber.add_client_error("get_item", "InternalServerError", http_status_code=500)
        answer = functions.call("reader", request("GET", PATH))
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "busy", "1")


def test_secrets_that_are_throttled_are_to_be_asked_for_again(
    functions: Functions, job: dict[str, Any]
) -> None:
    functions.forget("reader")
    functions.load("reader")
    with Stubber(clients.secretsmanager()) as stubber:
        stubber.add_client_error("get_secret_value", "ThrottlingException", http_status_code=400)
        answer = functions.call("reader", request("GET", PATH))
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "busy", "1")
