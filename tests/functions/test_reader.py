"""The reader: jobs, pictures, and paths without a route."""

import base64
import json
from typing import Any

import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws as clients

from testing.function_calls import picture_key, request_for, send_snapshot, snapshot_body
from testing.functions import Functions, event, request

PATH = "/api/cases/case-42/image-job"


def test_a_job_has_the_headers_for_polling(functions: Functions, job: dict[str, Any]) -> None:
    response = functions.call("reader", event("reader"))
    assert response.status == 200
    assert response.headers["retry-after"] == "2"
    assert response.headers["cache-control"] == "no-cache"
    assert response.json["completedImages"] == 1


def test_an_unchanged_job_is_a_304_without_a_body(functions: Functions, job: dict[str, Any]) -> None:
    tag = functions.call("reader", event("reader")).headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = event("reader")
        again["headers"]["if-none-match"] = known
        response = functions.call("reader", again)
        assert (response.status, response.text, response.headers["etag"]) == (304, "", tag)


def test_a_changed_job_has_another_tag(functions: Functions, job: dict[str, Any]) -> None:
    before = functions.call("reader", event("reader")).headers["etag"]
    send_snapshot(functions, snapshot_body(job, kind="progress", sequence=3, costUsd=0.0336))
    assert functions.call("reader", event("reader")).headers["etag"] != before


def test_an_unknown_case_is_a_problem(functions: Functions) -> None:
    response = functions.call("reader", event("reader"))
    assert (response.status, response.json["code"]) == (404, "job_not_found")
    assert response.headers["content-type"] == "application/problem+json"


def test_links_are_short_stable_and_lead_to_the_picture(functions: Functions, job: dict[str, Any]) -> None:
    link = job["evidenceImages"]["evidence-1"]
    assert link.startswith("https://api.example.com/api/cases/case-42/images/evidence-1?s=")
    assert len(link) < 120
    assert functions.call("reader", event("reader")).json["evidenceImages"]["evidence-1"] == link
    response = functions.call("reader", request_for(link))
    assert (response.status, response.text) == (302, "")
    assert picture_key(job, "evidence-1") in response.headers["location"]
    assert "X-Amz-Signature" in response.headers["location"]


@pytest.mark.parametrize(
    ("shot_id", "token"),
    [
        ("evidence-1", "AAAA"),
        ("evidence-1", ""),
        ("evidence-1", "\udcff"),
        ("evidence-2", "AAAA"),
        ("x", "A"),
    ],
)
def test_a_picture_link_with_a_wrong_signature_is_a_404(
    functions: Functions, job: dict[str, Any], shot_id: str, token: str
) -> None:
    path = f"/api/cases/case-42/images/{shot_id}"
    response = functions.call("reader", request("GET", path, queryStringParameters={"s": token}))
    assert (response.status, response.json["code"]) == (404, "image_not_found")


def test_the_signature_of_one_picture_does_not_open_another(
    functions: Functions, job: dict[str, Any]
) -> None:
    link = job["evidenceImages"]["evidence-1"].replace("evidence-1?", "evidence-2?")
    assert functions.call("reader", request_for(link)).status == 404


def test_pictures_can_be_inline(functions: Functions, job: dict[str, Any]) -> None:
    inline = request("GET", PATH, queryStringParameters={"images": "inline"})
    response = functions.call("reader", inline)
    expected = "data:image/jpeg;base64," + base64.b64encode(b"jpeg").decode()
    assert response.json["evidenceImages"] == {"evidence-1": expected}
    assert response.headers["etag"] != functions.call("reader", event("reader")).headers["etag"]


def test_a_picture_that_is_too_large_or_deleted_is_a_link_and_is_listed(
    functions: Functions, job: dict[str, Any]
) -> None:
    inline = request("GET", PATH, queryStringParameters={"images": "inline"})
    clients.s3().put_object(Bucket="pictures", Key=picture_key(job, "evidence-1"), Body=b"x" * 5_000_000)
    too_long = functions.call("reader", inline)
    clients.s3().delete_object(Bucket="pictures", Key=picture_key(job, "evidence-1"))
    gone = functions.call("reader", inline)
    for response in (too_long, gone):
        assert (response.status, response.json["linkedIds"]) == (200, ["evidence-1"])
        assert response.json["evidenceImages"] == job["evidenceImages"]


def test_throttled_storage_is_a_503_with_retry_after(functions: Functions, job: dict[str, Any]) -> None:
    inline = request("GET", PATH, queryStringParameters={"images": "inline"})
    functions.load("reader")
    with Stubber(clients.s3()) as stubber:
        stubber.add_client_error("get_object", "SlowDown", http_status_code=503)
        response = functions.call("reader", inline)
    assert (response.status, response.json["code"], response.headers["retry-after"]) == (503, "busy", "1")


def test_an_unknown_form_of_pictures_is_a_problem(functions: Functions, job: dict[str, Any]) -> None:
    response = functions.call("reader", request("GET", PATH, queryStringParameters={"images": "none"}))
    assert (response.status, response.json["detail"]) == (400, "images must be one of links, inline")


def test_the_request_has_the_descriptions_that_the_latest_retry_changed(
    functions: Functions, job: dict[str, Any]
) -> None:
    found = functions.call("reader", request("GET", f"{PATH}/request"))
    submitted = json.loads(event("initiator")["body"])
    assert (found.status, found.json["evidence"]) == (200, submitted["evidence"])
    functions.call("initiator", request("DELETE", PATH))
    send_snapshot(functions, snapshot_body(job, kind="stopped", sequence=3, status="cancelled"))
    body = json.dumps({"shots": {"location-1": {"description": "a cold hearth"}}})
    assert functions.call("initiator", request("POST", f"{PATH}/retry", body=body)).status == 202
    again = functions.call("reader", request("GET", f"{PATH}/request")).json
    assert [item["description"] for item in again["locations"]] == ["a cold hearth"]
    assert again["evidence"] == submitted["evidence"]


def test_descriptions_need_the_scope_retry(functions: Functions, job: dict[str, Any]) -> None:
    incoming = request("GET", f"{PATH}/request")
    incoming["requestContext"]["authorizer"]["lambda"]["scopes"] = "read"
    assert functions.call("reader", incoming).status == 403


def test_old_clients_can_read_the_status(functions: Functions, job: dict[str, Any]) -> None:
    response = functions.call("reader", request("GET", "/api/cases/case-42/image-status"))
    assert (response.status, response.json) == (200, {"status": "generating"})


@pytest.mark.parametrize("path", ["/", "/api", "/api/nope", "/api/cases//image-job", "/api/cases/a/b/c"])
def test_a_path_without_a_route_is_a_problem(functions: Functions, path: str) -> None:
    response = functions.call("reader", request("GET", path))
    assert (response.status, response.json["code"]) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/generate-case-images", "POST"),
        ("PUT", PATH, "DELETE, GET, HEAD"),
        ("DELETE", "/api/webhook/image-progress", "POST"),
    ],
)
def test_a_method_without_a_route_names_those_that_have_one(
    functions: Functions, method: str, path: str, allowed: str
) -> None:
    response = functions.call("reader", request(method, path))
    assert (response.status, response.json["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == allowed


def test_the_description_is_served(functions: Functions) -> None:
    response = functions.call("reader", request("GET", "/api/openapi.json"))
    assert response.status == 200
    assert response.json["openapi"].startswith("3.1")
    assert PATH.replace("case-42", "{caseId}") in response.json["paths"]
