"""The initiator: submit, retry and cancel."""

import base64
import json
from typing import Any

import pytest
from darkroom.adapters import aws as clients

from testing.functions import Functions, Response, event, request

BODY = json.loads(event("initiator")["body"])


def submission(body: Any = BODY, **changes: Any) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return event("initiator") | {"body": text, **changes}


def written() -> int:
    count: int = clients.dynamodb().scan(TableName="jobs")["Count"]
    return count


def test_a_case_is_accepted_with_its_job(functions: Functions) -> None:
    response = functions.call("initiator", event("initiator"))
    assert response.status == 202
    assert response.headers["content-type"] == "application/json"
    assert response.headers["location"] == "https://api.example.com/api/cases/case-42/image-job"
    job = response.json
    assert (job["status"], job["totalImages"], job["completedImages"]) == ("pending", 3, 0)
    assert (job["run"], job["version"], job["retryCount"]) == (1, 1, 0)
    assert job["createdAt"] == job["scheduledAt"] < job["deadlineAt"]
    assert "lastError" not in job
    assert written() == 3  # the job, its case, and what its caller has submitted today


def test_submitting_the_same_case_again_returns_the_same_job(functions: Functions) -> None:
    first = functions.call("initiator", event("initiator"))
    again = functions.call("initiator", event("initiator"))
    assert again.status == 200
    # The expiry of the share link depends on the time of the response.
    before, after = (response.json for response in (first, again))
    assert before.pop("shareUrl")
    assert after.pop("shareUrl")
    assert after == before


def test_another_case_under_the_same_id_is_a_conflict(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    response = functions.call("initiator", submission(BODY | {"locations": []}))
    assert response.status == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json["code"] == "case_conflict"


@pytest.mark.usefixtures("throttled_lambda")
def test_a_worker_that_cannot_be_started_leaves_a_pending_job(functions: Functions) -> None:
    response = functions.call("initiator", event("initiator"))
    assert (response.status, response.json["status"]) == (202, "pending")
    assert "TooManyRequestsException" in response.json["lastError"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "caseId"),
        (BODY | {"evidence": [], "locations": []}, 400, "body"),
        (BODY | {"colour": "red"}, 400, "colour"),
        (BODY | {"locations": BODY["evidence"]}, 400, "body"),
        ("{", 400, "body"),
        ("", 400, "caseId"),
        ("[]", 400, "body"),
    ],
)
def test_bad_input_is_a_problem_and_nothing_is_written(
    functions: Functions, body: Any, status: int, field: str
) -> None:
    response = functions.call("initiator", submission(body))
    assert response.status == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json
    assert (problem["status"], problem["code"]) == (status, "invalid_input")
    assert field in {error["field"] for error in problem["errors"]}
    assert written() == 0


def test_a_body_over_the_limit_is_refused(functions: Functions) -> None:
    response = functions.call("initiator", submission(" " * 262_145))
    assert (response.status, response.json["code"]) == (413, "body_too_large")
    assert "262144" in response.json["detail"]


def test_a_base64_body_is_accepted(functions: Functions) -> None:
    encoded = "eyJjYXNlSWQiOiAxfQ=="
    response = functions.call("initiator", submission(encoded, isBase64Encoded=True))
    assert response.json["errors"][0]["field"] == "caseId"


def test_an_unexpected_error_is_a_problem_without_details(functions: Functions) -> None:
    clients.dynamodb().delete_table(TableName="jobs")
    response = functions.call("initiator", event("initiator"))
    assert response.status == 500
    assert response.json == {
        "type": "urn:darkroom:problem:internal",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "an unexpected error occurred and was logged",
        "code": "internal",
    }


def test_nothing_a_player_wrote_is_logged(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    functions.call("initiator", event("initiator"))
    functions.call("initiator", submission(BODY | {"evidence": [{"id": "a", "name": "butler"}]}))
    logged = capsys.readouterr().out
    assert "case_submitted" in logged
    assert "harbour water" not in logged
    assert "butler" not in logged


PATH = "/api/cases/case-42/image-job"


def send(functions: Functions, method: str, path: str, body: Any = None, **headers: str) -> Response:
    made = request(method, path, body=None if body is None else json.dumps(body))
    made["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return functions.call("initiator", made)


def test_a_cancelled_job_can_be_retried_with_another_description(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    cancelled = send(functions, "DELETE", PATH)
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert send(functions, "DELETE", PATH).json == cancelled.json
    change = {"shots": {"evidence-1": {"description": "a plain watch"}}}
    retried = send(functions, "POST", f"{PATH}/retry", change)
    assert (retried.status, retried.json["status"], retried.json["run"]) == (202, "pending", 2)
    assert retried.headers["location"].endswith(PATH)


def test_a_retry_needs_no_body(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    send(functions, "DELETE", PATH)
    assert send(functions, "POST", f"{PATH}/retry").status == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"shots": {"ghost": {"description": "x"}}}, "shots.ghost"),
        ({"shots": {"evidence-1": {"description": ""}}}, "shots.evidence-1.description"),
        ({"shots": {"evidence-1": {"name": "x"}}}, "shots.evidence-1.name"),
        ({"shots": {"a b": {"description": "x"}}}, "shots.a b.[key]"),
        ({"shot": {}}, "shot"),
        ({"shots": []}, "shots"),
    ],
)
def test_a_retry_with_bad_input_is_a_problem(functions: Functions, body: Any, field: str) -> None:
    functions.call("initiator", event("initiator"))
    send(functions, "DELETE", PATH)
    response = send(functions, "POST", f"{PATH}/retry", body)
    assert response.status == 400
    assert field in {error["field"] for error in response.json["errors"]}


def test_an_open_job_can_be_neither_retried_nor_replaced(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    assert send(functions, "POST", f"{PATH}/retry").json["code"] == "job_open"
    other = submission(BODY | {"locations": []}, queryStringParameters={"replace": "true"})
    assert functions.call("initiator", other).json["code"] == "job_open"


def test_a_job_that_has_ended_is_replaced_with_replace_true(functions: Functions) -> None:
    first = functions.call("initiator", event("initiator")).json
    ended = send(functions, "DELETE", PATH).json
    other = submission(BODY | {"locations": []}, queryStringParameters={"replace": "true"})
    other["headers"]["if-match"] = f'"{first["jobId"]}.{first["version"]}.links"'
    assert functions.call("initiator", other).status == 412
    other["headers"]["if-match"] = f'"{ended["jobId"]}.{ended["version"]}.inline"'
    response = functions.call("initiator", other)
    assert (response.status, response.json["run"], response.json["totalImages"]) == (202, 2, 2)
    assert response.json["jobId"] != first["jobId"]


def test_replace_is_true_or_false(functions: Functions) -> None:
    response = functions.call("initiator", submission(queryStringParameters={"replace": "yes"}))
    assert (response.status, response.json["errors"][0]["field"]) == (400, "replace")
    assert written() == 0


def test_an_unknown_case_can_be_neither_cancelled_nor_retried(functions: Functions) -> None:
    assert send(functions, "DELETE", PATH).status == 404
    assert send(functions, "POST", f"{PATH}/retry").status == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"isBase64Encoded": True, "body": "!!!"},
        {"isBase64Encoded": True, "body": "/w=="},
        {"body": None},
        {"body": "\ud800"},
        {"body": "[" * 100_000},
    ],
)
def test_a_body_that_cannot_be_decoded_is_a_400(functions: Functions, changes: dict[str, Any]) -> None:
    response = functions.call("initiator", event("initiator") | changes)
    assert (response.status, response.json["code"]) == (400, "invalid_input")
    assert written() == 0


@pytest.mark.parametrize("case_id", ["a" * 3000, "a\ud800", "x:y", "%20", "caf\u00e9"])
def test_a_malformed_case_id_is_a_404(functions: Functions, case_id: str) -> None:
    for method, path in (("DELETE", "image-job"), ("POST", "image-job/retry")):
        assert send(functions, method, f"/api/cases/{case_id}/{path}").status == 404


TEXT = json.dumps(BODY)


@pytest.mark.parametrize(
    "body",
    [
        "\ufeff" + TEXT,
        json.dumps(BODY, indent="\t").replace("\n", "\r\n"),
        TEXT.replace("case-42", "case\\u002d42"),
        TEXT.encode().decode(),
    ],
    ids=["byte-order mark", "crlf and tabs", "escapes", "plain"],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_is_accepted_in_the_forms_that_tools_send(
    functions: Functions, body: str, encoded: bool
) -> None:
    sent = base64.b64encode(body.encode()).decode() if encoded else body
    response = functions.call("initiator", submission(sent, isBase64Encoded=encoded))
    assert (response.status, response.json["totalImages"]) == (202, 3)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (TEXT[:-1] + ', "evidence": []}', "evidence"),
        (TEXT[:-1] + ', "evid\\u0065nce": []}', "evidence"),
        (TEXT.replace('"name"', '"id": "x", "name"', 1), "evidence.0.id"),
        (TEXT[:-1] + ', "case_id": "x"}', "case_id"),
        (TEXT.replace("case-42", "\\ud83d"), "caseId"),
        (TEXT[:-1] + ', "maxCostUsd": ' + "9" * 5000 + "}", "maxCostUsd"),
        (TEXT[:-1] + ', "maxCostUsd": NaN}', "maxCostUsd"),
        (TEXT[:-1] + ', "maxCostUsd": 1e400}', "maxCostUsd"),
        (TEXT[:-1] + ', "maxCostUsd": -0}', "maxCostUsd"),
    ],
)
def test_ambiguous_json_is_refused_and_the_field_is_named(
    functions: Functions, body: str, field: str
) -> None:
    response = functions.call("initiator", submission(body))
    assert (response.status, [error["field"] for error in response.json["errors"]]) == (400, [field])
    assert written() == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_body_in_another_encoding_is_refused(functions: Functions, encoding: str) -> None:
    raw = TEXT.replace("case-42", "caf\u00e9").encode(encoding)
    response = functions.call("initiator", submission(base64.b64encode(raw).decode(), isBase64Encoded=True))
    assert (response.status, response.json["errors"][0]["field"]) == (400, "body")


def test_an_error_response_is_short_whatever_was_sent(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    send(functions, "DELETE", PATH)
    ghosts = {"shots": {f"ghost-{n}": {"description": "x"} for n in range(100)}}
    unknown = {"shots": {"k" * 5000: {f"{n}": 0 for n in range(5000)}}}
    for body in (ghosts, unknown):
        response = send(functions, "POST", f"{PATH}/retry", body)
        assert response.status == 400
        assert len(response.json["errors"]) <= 20
        assert len(response.text) < 6_000


def test_a_retry_that_makes_a_case_too_large_is_a_413_and_changes_nothing(functions: Functions) -> None:
    items = [
        {"id": f"e-{n}", "name": "\u9375", "description": "\u9375" * (2000 if n < 40 else 1)}
        for n in range(100)
    ]
    body = json.dumps({"caseId": "case-42", "evidence": items}, ensure_ascii=False)
    assert functions.call("initiator", submission(body)).status == 202
    send(functions, "DELETE", PATH)
    before = clients.dynamodb().scan(TableName="jobs")["Items"]
    change = {"shots": {f"e-{n}": {"description": "\u9375" * 2000} for n in range(40, 80)}}
    text = json.dumps(change, ensure_ascii=False)
    response = functions.call("initiator", request("POST", f"{PATH}/retry", body=text))
    assert (response.status, response.json["code"]) == (413, "case_too_large")
    assert "400000" in response.json["detail"]
    assert clients.dynamodb().scan(TableName="jobs")["Items"] == before
