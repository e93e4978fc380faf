"""Authentication by the authorizer, and authorization by the handlers."""

import base64
import json
import time
from typing import Any

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.signing.share_links import RIGHTS, ShareLinks

from testing.functions import SECRETS, TOKEN, Functions, event, fail, request

CASE = "/api/cases/case-42/image-job"
FORBIDDEN = {"isAuthorized": False}


def authorize(functions: Functions, authorization: str) -> dict[str, Any]:
    incoming = event("authorizer") | {"identitySource": [authorization]}
    response: dict[str, Any] = functions.load("authorizer").handler(incoming, None)
    return response


def context(scopes: str, case_id: str = "") -> dict[str, Any]:
    return {"authorizer": {"lambda": {"caller": "someone", "scopes": scopes, "caseId": case_id}}}


def send(functions: Functions, method: str, path: str, known: dict[str, Any], **changes: Any) -> Any:
    incoming = request(method, path, **changes)
    incoming["requestContext"].pop("authorizer")
    incoming["requestContext"] |= known
    return functions.call("reader" if method == "GET" else "initiator", incoming)


def test_the_token_of_a_caller_is_accepted(functions: Functions) -> None:
    expected = {"caller": "default", "scopes": "operate read submit", "caseId": ""}
    for scheme in ("Bearer", "bearer", "BEARER"):
        response = authorize(functions, f"{scheme} {TOKEN}")
        assert response == {"isAuthorized": True, "context": expected}


def test_a_share_link_is_accepted_for_its_case(functions: Functions) -> None:
    job = functions.call("initiator", event("initiator")).json
    token = job["shareUrl"].partition("#")[2]
    response = authorize(functions, f"Bearer {token}")
    assert response["context"] == {"caller": "share-link", "scopes": "read", "caseId": "case-42"}


def test_an_expired_share_link_is_rejected(functions: Functions) -> None:
    links = ShareLinks(lambda: SECRETS["share"])
    week_ago = time.time_ns() // 1_000_000 - 7 * 86_400_000
    for now, known in ((week_ago, False), (week_ago + 60_000, True)):
        link = links.link("case-42", RIGHTS["read"], base_url="", now=now, days=7)
        assert authorize(functions, f"Bearer {link.partition('#')[2]}")["isAuthorized"] is known


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        "Bearer é",
        "Bearer " + "a" * 2000,
    ],
)
def test_an_invalid_token_is_rejected(functions: Functions, authorization: str) -> None:
    assert authorize(functions, authorization) == FORBIDDEN


def test_a_rotated_token_is_accepted_without_a_deployment(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.adapters.secrets.MAX_AGE_S", 0)
    assert authorize(functions, f"Bearer {TOKEN}")["isAuthorized"]
    new = {"name": "default", "scopes": "read", "token": "n" * 40}
    clients.secretsmanager().put_secret_value(SecretId="tokens", SecretString=json.dumps(new))
    assert authorize(functions, f"Bearer {TOKEN}") == FORBIDDEN
    assert authorize(functions, f"Bearer {'n' * 40}")["context"]["scopes"] == "read"


def test_a_secret_stored_as_binary_is_read_and_a_faulty_entry_is_skipped_and_logged(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("darkroom.adapters.secrets.MAX_AGE_S", 0)
    good = {"name": "game", "scopes": "read", "token": TOKEN}
    text = json.dumps({"callers": [{"name": "broken", "scopes": "read", "token": "too-short"}, good]})
    clients.secretsmanager().put_secret_value(SecretId="tokens", SecretBinary=text.encode("utf-16"))
    assert authorize(functions, f"Bearer {TOKEN}")["context"]["caller"] == "game"
    out = capsys.readouterr().out
    assert '"caller_entry_skipped"' in out
    assert "callers.0 token: must be 32 to 512 visible characters" in out
    assert "too-short" not in out


def test_a_token_is_never_logged(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    authorize(functions, f"Bearer {TOKEN}")
    authorize(functions, f"Bearer {TOKEN}-not-quite")
    out = capsys.readouterr().out
    assert '"caller_authenticated"' in out
    assert '"caller_rejected"' in out
    assert TOKEN not in out


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/generate-case-images", {"submit"}),
        ("POST", f"{CASE}/retry", {"submit", "retry"}),
        ("DELETE", CASE, {"submit"}),
        ("GET", CASE, {"read"}),
        ("GET", "/api/cases/case-42/image-status", {"read"}),
    ],
)
def test_each_route_needs_its_scope(functions: Functions, method: str, path: str, allowed: set[str]) -> None:
    for scope in ("submit", "read", "operate", "retry"):
        response = send(functions, method, path, context(scope), body="{}")
        assert (response.status != 403) == (scope in allowed), scope


@pytest.mark.parametrize("known", [{}, {"authorizer": {}}, {"authorizer": {"lambda": None}}, context("")])
def test_an_event_without_an_authorizer_has_no_rights(functions: Functions, known: dict[str, Any]) -> None:
    assert send(functions, "GET", CASE, known).status == 403
    assert send(functions, "DELETE", CASE, known).status == 403


def test_a_link_of_another_case_is_refused_the_same_way_whether_the_case_exists_or_not(
    functions: Functions,
) -> None:
    functions.call("initiator", event("initiator"))
    link = context("read retry", "another-case")
    existing = send(functions, "GET", CASE, link)
    unknown = send(functions, "GET", "/api/cases/unknown/image-job", link)
    assert (existing.status, existing.text) == (403, unknown.text)
    assert existing.json["code"] == "forbidden"
    assert send(functions, "POST", f"{CASE}/retry", link).status == 403
    assert send(functions, "POST", "/api/generate-case-images", link, body="{").status == 403


def test_a_share_link_retries_a_job_only_with_the_scope_retry(functions: Functions) -> None:
    incoming = event("initiator") | {"queryStringParameters": {"share": "retry"}}
    job = functions.call("initiator", incoming).json
    fail("case-42")
    token = job["shareUrl"].partition("#")[2]
    known = {"authorizer": {"lambda": authorize(functions, f"Bearer {token}")["context"]}}
    assert send(functions, "DELETE", CASE, known).status == 403
    assert send(functions, "POST", f"{CASE}/retry", context("read", "case-42")).status == 403
    greedy = send(functions, "POST", f"{CASE}/retry", known, body='{"maxCostUsd": 9999}')
    assert (greedy.status, greedy.json["code"]) == (403, "forbidden")
    response = send(functions, "POST", f"{CASE}/retry", known)
    assert response.status == 202
    assert "shareUrl" not in response.json


def test_a_share_link_retries_three_times_until_its_owner_retries(functions: Functions) -> None:
    functions.load("initiator", CASES_PER_DAY="4")
    functions.call("initiator", event("initiator"))
    guest, owner = context("read retry", "case-42"), context("submit")
    for _ in range(3):
        fail("case-42")
        assert send(functions, "POST", f"{CASE}/retry", guest).status == 202
    fail("case-42")
    refused = send(functions, "POST", f"{CASE}/retry", guest)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert "3 times" in refused.json["detail"]
    assert send(functions, "POST", f"{CASE}/retry", owner).status == 202
    fail("case-42")
    spent = send(functions, "POST", f"{CASE}/retry", guest)
    assert (spent.status, spent.json["code"]) == (429, "daily_limit"), "they counted for the owner"
    found = clients.dynamodb().scan(TableName="jobs")["Items"]
    assert sum("image-request" in item["pk"]["S"] for item in found) == 1


def test_a_share_link_cannot_retry_a_cancelled_job(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    send(functions, "DELETE", CASE, context("submit"))
    refused = send(functions, "POST", f"{CASE}/retry", context("read retry", "case-42"))
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert "cancelled" in refused.json["detail"]
    assert send(functions, "POST", f"{CASE}/retry", context("submit")).status == 202


def test_a_retry_of_a_cancelled_job_counts_towards_the_daily_limit(functions: Functions) -> None:
    functions.load("initiator", CASES_PER_DAY="3")
    functions.call("initiator", event("initiator"))
    found = []
    for _ in range(3):
        send(functions, "DELETE", CASE, context("submit"))
        found.append(send(functions, "POST", f"{CASE}/retry", context("submit")))
    assert [response.status for response in found] == [202, 202, 202], "of someone else than the submitter"
    send(functions, "DELETE", CASE, context("submit"))
    response = send(functions, "POST", f"{CASE}/retry", context("submit"))
    assert (response.status, response.json["code"]) == (429, "daily_limit")
    assert 0 < int(response.headers["retry-after"]) <= 86_400


def test_the_parameter_share_is_read_or_retry(functions: Functions) -> None:
    response = functions.call(
        "initiator", event("initiator") | {"queryStringParameters": {"share": "everything"}}
    )
    assert (response.status, response.json["errors"][0]["field"]) == (400, "share")


def test_a_case_over_the_daily_limit_is_a_429_with_retry_after(functions: Functions) -> None:
    functions.load("initiator", CASES_PER_DAY="1")
    assert functions.call("initiator", event("initiator")).status == 202
    assert functions.call("initiator", event("initiator")).status == 200
    other = json.loads(event("initiator")["body"]) | {"caseId": "case-43"}
    response = functions.call("initiator", event("initiator") | {"body": json.dumps(other)})
    assert (response.status, response.json["code"]) == (429, "daily_limit")
    assert 0 < int(response.headers["retry-after"]) <= 86_400


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


CLAIMS = part({"sub": "case-42", "scope": "read", "exp": 10**12})
HEADERS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": None},
    {"alg": ["HS256"]},
    {"alg": {"HS256": 1}},
    {"alg": "HS256", "crit": ["b64"], "b64": False},
    {"alg": "HS256", "kid": 5},
    {"alg": "RS256"},
    {"alg": "\ud83d"},
    {"x": [[[[[[[[]]]]]]]]},
]
STRANGE_TOKENS = [
    *(f"{part(header)}.{CLAIMS}.{part(b'signature')}" for header in HEADERS),
    *(
        f"{part({'alg': 'HS256'})}.{payload}.{part(b's')}"
        for payload in ("", part(b"\xff"), part([]), "=", "a")
    ),
    f"eyJ{'W1tb' * 200}..",
    "eyJ..",
    "eyJ.eyJ.eyJ",
    "eyJ\x00.a.b",
]


@pytest.mark.parametrize("token", STRANGE_TOKENS, ids=range(len(STRANGE_TOKENS)))
def test_no_token_makes_the_authorizer_fail(functions: Functions, token: str) -> None:
    assert authorize(functions, f"Bearer {token}") == FORBIDDEN


@pytest.mark.parametrize("sources", [None, [], ["Bearer a", "Bearer b"], [f"Bearer {TOKEN}, Bearer {TOKEN}"]])
@pytest.mark.parametrize("path", ["/api/cases/" + "a" * 3000 + "/image-job", "/api/cases/\ud83d\x00/x", ""])
def test_no_request_makes_the_authorizer_fail(functions: Functions, sources: Any, path: str) -> None:
    incoming = event("authorizer") | {"identitySource": sources, "rawPath": path, "routeKey": f"GET {path}"}
    assert functions.load("authorizer").handler(incoming, None) == FORBIDDEN
