"""The promises of SnapshotChannel, kept by the fake and by HTTP."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from darkroom.adapters import http_client
from darkroom.adapters.http_snapshots import MAX_RESPONSE_BYTES, HttpSnapshots
from darkroom.adapters.signing import standard_webhooks
from darkroom.api import responses
from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.snapshot import Snapshot, SnapshotKind

from testing.builders import a_case, a_snapshot
from testing.fakes.snapshots import RecordedSnapshots
from testing.fakes.time_and_ids import ManualClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://api.example/api/webhook/image-progress"
SNAPSHOT = a_snapshot(a_case(), SnapshotKind.PROGRESS, 2, done=("evidence-1",), failed=("location-1",))

type Send = Callable[[int], None]


def send_by_fake(status: int) -> None:
    def respond(snapshot: Snapshot) -> None:
        if status == 409:
            raise Superseded("no")
        if status >= 300:
            raise Undeliverable(str(status), retryable=status >= 500 or status in (408, 429))

    asyncio.run(RecordedSnapshots(respond=respond).send(SNAPSHOT, URL))


def cancel_by_fake() -> None:
    def respond(snapshot: Snapshot) -> None:
        raise Cancelled("no")

    asyncio.run(RecordedSnapshots(respond=respond).send(SNAPSHOT, URL))


def cancel_by_http() -> None:
    body = responses.problem(Cancelled("the job was cancelled")).body
    post(lambda request: httpx.Response(409, content=body))


def send_by_http(status: int, seen: list[httpx.Request] | None = None) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return httpx.Response(status, headers={"location": "https://elsewhere.example"})

    post(respond)


def post(
    respond: Callable[[httpx.Request], httpx.Response],
    clock: ManualClock | None = None,
    snapshot: Snapshot = SNAPSHOT,
    secret: Callable[[], str] = lambda: SECRET,
) -> None:
    async def send() -> None:
        async with http_client.client(1, httpx.MockTransport(respond)) as client:
            channel = HttpSnapshots(client, secret, clock or ManualClock())
            await channel.send(snapshot, URL)

    asyncio.run(send())


both = pytest.mark.parametrize("send", [send_by_fake, send_by_http], ids=["fake", "http"])


@both
def test_a_success_is_a_delivery(send: Send) -> None:
    send(200)


@both
def test_a_conflict_stops_the_run(send: Send) -> None:
    with pytest.raises(Superseded):
        send(409)


@pytest.mark.parametrize("cancel", [cancel_by_fake, cancel_by_http], ids=["fake", "http"])
def test_a_conflict_by_cancellation_raises_cancelled(cancel: Callable[[], None]) -> None:
    with pytest.raises(Cancelled):
        cancel()


@both
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_retryable(send: Send, status: int) -> None:
    with pytest.raises(Undeliverable) as raised:
        send(status)
    assert raised.value.retryable


@both
@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 413])
def test_a_lasting_failure_is_not_retryable(send: Send, status: int) -> None:
    with pytest.raises(Undeliverable) as raised:
        send(status)
    assert not raised.value.retryable


def test_a_redirect_is_not_followed() -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(Undeliverable):
        send_by_http(307, seen)
    assert len(seen) == 1


def raising(error: BaseException) -> Callable[[httpx.Request], httpx.Response]:
    def respond(request: httpx.Request) -> httpx.Response:
        raise error

    return respond


async def broken_off() -> AsyncIterator[bytes]:
    yield b"the beginning"
    raise httpx.ReadError("no more")


STRANGE: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "broken connection": raising(httpx.ConnectError("no")),
    "broken body": lambda _: httpx.Response(200, content=broken_off()),
    "broken body of a conflict": lambda _: httpx.Response(409, content=broken_off()),
    "address that is none": lambda _: httpx.Response(302, headers={"location": "https://xn--a.x/"}),
    "cookie conflict": raising(httpx.CookieConflict("two")),
    "invalid address": raising(httpx.InvalidURL("no")),
    "TLS": raising(ssl.SSLError("no")),
    "text": raising(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")),
    "anything": raising(RuntimeError("a defect of a library")),
}


@pytest.mark.parametrize("respond", STRANGE.values(), ids=STRANGE)
def test_any_strange_response_makes_the_snapshot_undeliverable(
    respond: Callable[[httpx.Request], httpx.Response],
) -> None:
    with pytest.raises(Undeliverable) as raised:
        post(respond)
    assert raised.value.retryable


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b'{"code": 7}', b"[" * 9000, b'{"code": "\\ud800"}']
)
def test_a_conflict_stops_the_run_whatever_its_body(content: bytes) -> None:
    with pytest.raises(Superseded):
        post(lambda _: httpx.Response(409, content=content))


def test_only_the_beginning_of_a_response_is_read_and_never_inflated() -> None:
    read: list[int] = []

    async def large() -> AsyncIterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield gzip.compress(b"[" * 1_000_000)

    headers = {"content-encoding": "gzip"}
    post(lambda _: httpx.Response(200, content=large(), headers=headers))
    with pytest.raises(Superseded):
        post(lambda _: httpx.Response(409, content=large(), headers=headers))
    assert len(read) * len(gzip.compress(b"[" * 1_000_000)) < 3 * MAX_RESPONSE_BYTES


@pytest.mark.parametrize("secret", ["", "not base64!", "c2hvcnQ="])
def test_a_secret_that_cannot_sign_makes_the_snapshot_undeliverable(secret: str) -> None:
    with pytest.raises(Undeliverable) as raised:
        post(lambda _: httpx.Response(200), secret=lambda: secret)
    assert secret not in str(raised.value) or not secret


def test_a_secret_that_cannot_be_read_makes_the_snapshot_undeliverable() -> None:
    def unreadable() -> str:
        raise RuntimeError("throttled")

    with pytest.raises(Undeliverable):
        post(lambda _: httpx.Response(200), secret=unreadable)


def test_a_cancelled_send_is_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        post(raising(asyncio.CancelledError()))


def test_no_cookie_is_kept_and_the_user_agent_is_sent() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, headers={"set-cookie": "session=1; Path=/"})

    async def send_twice() -> None:
        async with http_client.client(1, httpx.MockTransport(respond)) as client:
            for _ in range(2):
                await HttpSnapshots(client, lambda: SECRET, ManualClock()).send(SNAPSHOT, URL)

    asyncio.run(send_twice())
    assert ["cookie" in request.headers for request in seen] == [False, False]
    assert {request.headers["user-agent"] for request in seen} == {"Darkroom"}


def test_the_body_follows_the_contract_and_its_signature_is_valid() -> None:
    seen: list[httpx.Request] = []
    send_by_http(200, seen)
    [request] = seen
    now_s = ManualClock().now / 1000
    standard_webhooks.verify(SECRET, headers=request.headers, body=request.content, now_s=now_s)
    body = json.loads(request.content)
    assert body["caseId"] == "case-1"
    assert (body["completedImages"], body["totalImages"], body["status"]) == (1, 14, "generating")
    assert body["evidenceImages"] == dict(SNAPSHOT.evidence_images)
    assert body["failedIds"] == ["location-1"]


def test_every_attempt_has_a_new_signature_and_the_same_id() -> None:
    seen: list[httpx.Request] = []
    clock = ManualClock()

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    post(respond, clock)
    clock.pass_seconds(60)
    post(respond, clock)
    first, second = (request.headers for request in seen)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_two_snapshots_have_two_ids() -> None:
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["webhook-id"])
        return httpx.Response(200)

    for other in (SNAPSHOT, replace(SNAPSHOT, sequence=3), replace(SNAPSHOT, claim="claim-2")):
        post(respond, snapshot=other)
    assert len(set(seen)) == 3
