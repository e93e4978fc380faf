"""Every failure is one of the client's errors, and a request is repeated only when that can help."""

import json
import socket
import ssl

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import (
    AsyncClient,
    BadResponse,
    Case,
    Client,
    Conflict,
    DarkroomError,
    Forbidden,
    InvalidRequest,
    Item,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
    WrongSetting,
)

from tests.client.caller import URL, Caller
from tests.client.server import FAILED, Reply, job_response, problem, the_job

DONE = the_job(Status.COMPLETED, version=4, done=3)
CASE = Case(case_id="case-1", evidence=[Item(id="evidence-1", name="Key", description="brass")])


def test_a_request_to_a_busy_server_is_repeated_when_the_server_says(caller: Caller) -> None:
    caller.script(
        httpx.ConnectError("refused"),
        problem(503, "contention"),
        problem(429, "throttled", **{"retry-after": "7"}),
        job_response(DONE),
    )
    assert caller.call("get", "case-1").status == "completed"
    assert caller.slept == [0.5, 1.0, 7.0]


@pytest.mark.parametrize(
    ("reply", "kind", "attempts"),
    [
        (problem(400, "invalid_input"), InvalidRequest, 1),
        (httpx.Response(401, json={"message": "Unauthorized"}), Unauthorized, 1),
        (problem(403, "forbidden"), Forbidden, 1),
        (problem(404, "job_not_found"), NotFound, 1),
        (problem(409, "case_conflict"), Conflict, 1),
        (problem(429, "daily_limit", **{"retry-after": "50000"}), RateLimited, 1),
        (problem(500, "internal"), ServerError, 5),
        (httpx.Response(502, text="<html>"), ServerError, 5),
        (httpx.ReadTimeout("slow"), Unreachable, 5),
        (httpx.Response(418), DarkroomError, 1),
        (httpx.Response(200, text="{}"), BadResponse, 1),
        (httpx.Response(200, text="<html>"), BadResponse, 1),
        (httpx.DecodingError("no gzip"), BadResponse, 1),
        (httpx.TooManyRedirects("a loop"), BadResponse, 1),
        (httpx.InvalidURL("a host that no encoding takes"), WrongSetting, 1),
        (httpx.UnsupportedProtocol("gopher"), WrongSetting, 1),
        (httpx.LocalProtocolError("a header"), WrongSetting, 1),
        (UnicodeError("label too long"), WrongSetting, 1),
        (httpx.ProxyError("407 Proxy Authentication Required"), WrongSetting, 1),
        (httpx.ProxyError("503 Service Unavailable"), Unreachable, 5),
        (httpx.RemoteProtocolError("gone"), Unreachable, 5),
        (OSError("no buffer space"), Unreachable, 5),
        (httpx.Response(301, headers={"location": "https://elsewhere.example"}), WrongSetting, 1),
    ],
)
def test_each_failure_has_its_class_and_number_of_attempts(
    caller: Caller, reply: Reply, kind: type[DarkroomError], attempts: int
) -> None:
    caller.script(reply)
    with pytest.raises(kind) as caught:
        caller.call("get", "case-1")
    assert type(caught.value) is kind
    assert len(caller.requests) == attempts


@pytest.mark.parametrize(
    "cause",
    [
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        ssl.SSLCertVerificationError("certificate verify failed"),
    ],
)
def test_a_request_to_an_unknown_or_untrusted_host_is_not_repeated(caller: Caller, cause: OSError) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(str(cause)) from cause

    caller.script(refuse)
    with pytest.raises(WrongSetting, match=URL):
        caller.call("get", "case-1")
    assert len(caller.requests) == 1


def test_a_request_is_repeated_when_the_name_server_is_down(caller: Caller) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network") from socket.gaierror(socket.EAI_AGAIN, "temporary failure")

    caller.script(refuse)
    with pytest.raises(Unreachable):
        caller.call("get", "case-1")
    assert len(caller.requests) == 5


@pytest.mark.parametrize("link", ["http://[::1", "no address", "data:image/jpeg;base64,%%%"])
def test_a_link_that_is_not_an_address_is_a_bad_response(caller: Caller, link: str) -> None:
    caller.script(httpx.Response(200, content=b"jpeg"))
    with pytest.raises(BadResponse):
        caller.call("picture", link)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example",
        "//api.example",
        "ftp://api.example",
        "https://",
        "https://api.example:99999",
        "https://api.example:0",
        "https://api.example:port",
        "https://[::1",
        "https://xn--a.example",
        "https://api.example\nx",
        "https://somebody:hidden@api.example:x",
        "https://api.example?stage=prod",
        "https://api.example/#here",
    ],
)
def test_a_wrong_address_is_refused_before_any_request(url: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(WrongSetting) as caught:
            kind(url, "secret")
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("token", ["", " ", "se\ncret", "secrét", "se\x00cret", "\ufeffsecret", "\udcff"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(WrongSetting) as caught:
            kind(URL, token)
        assert not token.strip() or token not in str(caught.value)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "ftp://proxy", "http://:port", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for kind in (Client, AsyncClient):
        with pytest.raises(WrongSetting, match="HTTPS_PROXY"):
            kind(URL, "secret")


def test_a_wrong_field_is_named(caller: Caller) -> None:
    caller.script(problem(400, "invalid_input"))
    with pytest.raises(InvalidRequest) as caught:
        caller.call("submit", CASE)
    assert [(wrong.field, wrong.message) for wrong in caught.value.fields] == [("caseId", "must match")]
    assert (caught.value.status, caught.value.code) == (400, "invalid_input")


def test_unknown_values_of_a_later_release_are_accepted(caller: Caller) -> None:
    body = json.loads(job_response(FAILED).content)
    body["errors"]["location-1"] |= {"code": "model_on_strike", "advice": "wait"}
    later = {**body, "status": "archived", "later": [1]}
    caller.script(httpx.Response(200, json=later))
    [job] = caller.call("watch", "case-1")
    assert (job.status, job.is_open, job.errors["location-1"].code) == ("archived", False, "model_on_strike")
    caller.script(httpx.Response(200, json={**later, "completedAt": None}))
    assert caller.call("get", "case-1").is_open


def test_a_number_out_of_range_is_a_bad_response(caller: Caller) -> None:
    body = json.loads(job_response(DONE).content)
    caller.script(httpx.Response(200, json={**body, "createdAt": 10**400}))
    with pytest.raises(BadResponse, match="createdAt"):
        caller.call("get", "case-1")


def test_a_maximum_cost_that_is_not_a_number_is_not_sent(caller: Caller) -> None:
    caller.script(job_response(FAILED))
    with pytest.raises(InvalidRequest, match="maxCostUsd"):
        caller.call("retry", "case-1", max_cost_usd=float("nan"))
    assert [request.method for request in caller.requests] == ["GET"]


def test_the_token_is_not_in_the_clients_repr() -> None:
    with Client(URL, "secret") as client:
        assert "secret" not in f"{client!r} {client}"


def test_at_most_twenty_wrong_fields_are_kept(caller: Caller) -> None:
    errors = [{"field": f"f-{n}", "message": "wrong"} for n in range(1000)]
    caller.script(httpx.Response(400, json={"code": "invalid_input", "detail": "no", "errors": errors}))
    with pytest.raises(InvalidRequest) as refused:
        caller.call("get", "case-1")
    assert [each.field for each in refused.value.fields] == [f"f-{n}" for n in range(20)]


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"code": ' + "9" * 5000 + "}",
        '{"detail": {"a": [1]}, "errors": 7, "code": null}',
        '{"errors": [7, {"message": []}]}',
        "\udcff".encode(errors="surrogateescape"),
    ],
)
def test_a_refusal_with_any_body_is_a_refusal(caller: Caller, body: str | bytes) -> None:
    caller.script(httpx.Response(409, content=body))
    with pytest.raises(Conflict):
        caller.call("get", "case-1")


def test_a_very_long_refusal_is_cut_off(caller: Caller) -> None:
    errors = [{"field": "f" * 9_000, "message": "m" * 9_000}] * 1_000
    caller.script(
        httpx.Response(400, json={"detail": "d" * 9_000_000, "code": "c" * 9_000, "errors": errors})
    )
    with pytest.raises(InvalidRequest) as caught:
        caller.call("get", "case-1")
    error = caught.value
    assert (len(str(error)), len(error.code), len(error.fields)) == (2000, 2000, 20)
    assert {len(wrong.field) for wrong in error.fields} == {2000}
