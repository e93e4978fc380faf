"""POST /api/generate-case-images, whole."""

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
    answer = functions.call("initiator", event("initiator"))
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == "https://api.example.com/api/cases/case-42/image-job"
    job = answer.json
    assert (job["status"], job["totalImages"], job["completedImages"]) == ("pending", 3, 0)
    assert (job["run"], job["version"], job["retryCount"]) == (1, 1, 0)
    assert job["createdAt"] == job["scheduledAt"] < job["deadlineAt"]
    assert "lastError" not in job
    assert written() == 3  # the job, its case, and what its caller has submitted today


def test_the_same_case_again_is_the_same_job(functions: Functions) -> None:
    first = functions.call("initiator", event("initiator"))
    again = functions.call("initiator", event("initiator"))
    assert again.status == 200
    # The token of the link ends so many days after the answer, which is a second later at times.
    for answer in (first, again):
        assert answer.json.pop("shareUrl")
    assert again.json == first.json


def test_another_case_under_the_same_id_is_a_conflict(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    answer = functions.call("initiator", submission(BODY | {"locations": []}))
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == "case_conflict"


@pytest.mark.usefixtures("throttled_lambda")
def test_a_worker_that_cannot_be_started_leaves_a_pending_job(functions: Functions) -> None:
    answer = functions.call("initiator", event("initiator"))
    assert (answer.status, answer.json["status"]) == (202, "pending")
    assert "TooManyRequestsException" in answer.json["lastError"]


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
    answer = functions.call("initiator", submission(body))
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json
    assert (problem["status"], problem["code"]) == (status, "invalid_input")
    assert field in {error["field"] for error in problem["errors"]}
    assert written() == 0


def test_a_body_over_the_limit_is_refused(functions: Functions) -> None:
    answer = functions.call("initiator", submission(" " * 262_145))
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert "262144" in answer.json["detail"]


def test_a_base64_body_is_read_too(functions: Functions) -> None:
    encoded = "eyJjYXNlSWQiOiAxfQ=="
    answer = functions.call("initiator", submission(encoded, isBase64Encoded=True))
    assert answer.json["errors"][0]["field"] == "caseId"


def test_a_defect_is_a_problem_that_tells_nothing(functions: Functions) -> None:
    clients.dynamodb().delete_table(TableName="jobs")
    answer = functions.call("initiator", event("initiator"))
    assert answer.status == 500
    assert answer.json == {
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


def ask(functions: Functions, method: str, path: str, body: Any = None, **headers: str) -> Response:
    made = request(method, path, body=None if body is None else json.dumps(body))
    made["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return functions.call("initiator", made)


def test_a_cancelled_job_can_be_retried_with_other_words(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    cancelled = ask(functions, "DELETE", PATH)
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
    assert ask(functions, "DELETE", PATH).json == cancelled.json
    change = {"shots": {"evidence-1": {"description": "a plain watch"}}}
    retried = ask(functions, "POST", f"{PATH}/retry", change)
    assert (retried.status, retried.json["status"], retried.json["run"]) == (202, "pending", 2)
    assert retried.headers["location"].endswith(PATH)


def test_a_retry_needs_no_body(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    ask(functions, "DELETE", PATH)
    assert ask(functions, "POST", f"{PATH}/retry").status == 202


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
    ask(functions, "DELETE", PATH)
    answer = ask(functions, "POST", f"{PATH}/retry", body)
    assert answer.status == 400
    assert field in {error["field"] for error in answer.json["errors"]}


def test_an_open_job_can_be_neither_retried_nor_replaced(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    assert ask(functions, "POST", f"{PATH}/retry").json["code"] == "job_open"
    other = submission(BODY | {"locations": []}, queryStringParameters={"replace": "true"})
    assert functions.call("initiator", other).json["code"] == "job_open"


def test_a_job_that_has_ended_is_replaced_on_demand(functions: Functions) -> None:
    first = functions.call("initiator", event("initiator")).json
    ended = ask(functions, "DELETE", PATH).json
    other = submission(BODY | {"locations": []}, queryStringParameters={"replace": "true"})
    other["headers"]["if-match"] = f'"{first["jobId"]}.{first["version"]}.links"'
    assert functions.call("initiator", other).status == 412
    other["headers"]["if-match"] = f'"{ended["jobId"]}.{ended["version"]}.inline"'
    answer = functions.call("initiator", other)
    assert (answer.status, answer.json["run"], answer.json["totalImages"]) == (202, 2, 2)
    assert answer.json["jobId"] != first["jobId"]


def test_replace_is_true_or_false(functions: Functions) -> None:
    answer = functions.call("initiator", submission(queryStringParameters={"replace": "yes"}))
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "replace")
    assert written() == 0


def test_what_is_unknown_can_be_neither_cancelled_nor_retried(functions: Functions) -> None:
    assert ask(functions, "DELETE", PATH).status == 404
    assert ask(functions, "POST", f"{PATH}/retry").status == 404


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
def test_a_body_that_is_none_is_bad_input(functions: Functions, changes: dict[str, Any]) -> None:
    answer = functions.call("initiator", event("initiator") | changes)
    assert (answer.status, answer.json["code"]) == (400, "invalid_input")
    assert written() == 0


@pytest.mark.parametrize("case_id", ["a" * 3000, "a\ud800", "x:y", "%20", "caf\u00e9"])
def test_a_case_id_that_cannot_exist_is_not_found(functions: Functions, case_id: str) -> None:
    for method, path in (("DELETE", "image-job"), ("POST", "image-job/retry")):
        assert ask(functions, method, f"/api/cases/{case_id}/{path}").status == 404


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
def test_a_body_is_taken_as_tools_send_it(functions: Functions, body: str, encoded: bool) -> None:
    sent = base64.b64encode(body.encode()).decode() if encoded else body
    answer = functions.call("initiator", submission(sent, isBase64Encoded=encoded))
    assert (answer.status, answer.json["totalImages"]) == (202, 3)


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
def test_what_could_be_read_in_two_ways_is_refused_with_its_field(
    functions: Functions, body: str, field: str
) -> None:
    answer = functions.call("initiator", submission(body))
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [field])
    assert written() == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_body_in_another_encoding_is_refused(functions: Functions, encoding: str) -> None:
    raw = TEXT.replace("case-42", "caf\u00e9").encode(encoding)
    answer = functions.call("initiator", submission(base64.b64encode(raw).decode(), isBase64Encoded=True))
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "body")


def test_an_error_is_short_whatever_was_sent(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    ask(functions, "DELETE", PATH)
    ghosts = {"shots": {f"ghost-{n}": {"description": "x"} for n in range(100)}}
    unknown = {"shots": {"k" * 5000: {f"{n}": 0 for n in range(5000)}}}
    for body in (ghosts, unknown):
        answer = ask(functions, "POST", f"{PATH}/retry", body)
        assert answer.status == 400
        assert len(answer.json["errors"]) <= 20
        assert len(answer.text) < 6_000


def test_retries_cannot_grow_a_case_past_what_can_be_stored(functions: Functions) -> None:
    items = [
        {"id": f"e-{n}", "name": "\u9375", "description": "\u9375" * (2000 if n < 40 else 1)}
        for n in range(100)
    ]
    body = json.dumps({"caseId": "case-42", "evidence": items}, ensure_ascii=False)
    assert functions.call("initiator", submission(body)).status == 202
    ask(functions, "DELETE", PATH)
    before = clients.dynamodb().scan(TableName="jobs")["Items"]
    change = {"shots": {f"e-{n}": {"description": "\u9375" * 2000} for n in range(40, 80)}}
    text = json.dumps(change, ensure_ascii=False)
    answer = functions.call("initiator", request("POST", f"{PATH}/retry", body=text))
    assert (answer.status, answer.json["code"]) == (413, "case_too_large")
    assert "400000" in answer.json["detail"]
    assert clients.dynamodb().scan(TableName="jobs")["Items"] == before
