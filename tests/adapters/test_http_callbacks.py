"""Callbacks over HTTP: signed, to checked addresses only, and in limited time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx
import pytest
from darkroom.adapters import http_callbacks
from darkroom.adapters.http_callbacks import HttpCallbacks, is_public
from darkroom.adapters.signing import standard_webhooks
from darkroom.adapters.signing.callback_secrets import CallbackSecrets
from darkroom.domain.callbacks import ReceiverResponse
from darkroom.domain.errors import BadSignature

from testing.builders import NOW
from testing.deliveries import a_delivery
from testing.fakes.time_and_ids import ManualClock

SECRETS = CallbackSecrets(lambda: "the-new-master the-old-master")
URL = "https://game.example:8443/hook?x=1"


def sent(
    respond: Callable[[httpx.Request], Any],
    *,
    looked_up: list[tuple[str, int]] | None = None,
    addresses: Sequence[str] = ("93.184.216.34",),
    private: bool = False,
    url: str = URL,
) -> tuple[ReceiverResponse, list[httpx.Request]]:
    """Return the outcome, and the requests that reached the receiver."""
    requests: list[httpx.Request] = []

    async def record(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        result = respond(request)
        found: httpx.Response = await result if asyncio.iscoroutine(result) else result
        return found

    async def resolve(host: str, port: int) -> Sequence[str]:
        if looked_up is not None:
            looked_up.append((host, port))
        if not addresses:
            raise OSError("no such host")
        return addresses

    sender = HttpCallbacks(
        SECRETS.of,
        ManualClock(),
        private=private,
        transport=httpx.MockTransport(record),
        resolve=resolve,
    )
    try:
        return sender.send(a_delivery(url=url)), requests
    finally:
        sender.close()


def test_the_connection_goes_to_the_checked_address_in_the_name_of_the_host() -> None:
    response, [request] = sent(lambda _: httpx.Response(204))
    assert response == ReceiverResponse(status=204)
    assert str(request.url) == "https://93.184.216.34:8443/hook?x=1"
    assert request.headers["host"] == "game.example:8443"
    assert request.extensions["sni_hostname"] == "game.example"


@pytest.mark.parametrize("number", [0, 1])
def test_the_new_and_the_old_secret_of_the_caller_verify_a_callback(number: int) -> None:
    _, [request] = sent(lambda _: httpx.Response(200))
    secret = SECRETS.of("game").split()[number]
    headers = dict(request.headers)
    standard_webhooks.verify(secret, headers=headers, body=request.content, now_s=NOW / 1000)
    assert headers["webhook-id"] == "job-1-1"
    other = SECRETS.of("other")
    with pytest.raises(BadSignature):
        standard_webhooks.verify(other, headers=headers, body=request.content, now_s=NOW / 1000)


HOSTILE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",  # noqa: S104 - to be refused
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "fd00:ec2::254",
    "fe80::1%eth0",
    "ff02::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "192.88.99.1",
    "240.0.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "192.0.0.9",
    "fec0::1",
    "::7f00:1",
    "::808:808",
    "::ffff:8.8.8.8",
    "2001:0:4136:e378::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
    "not-an-address",
]


@pytest.mark.parametrize("address", HOSTILE)
def test_no_address_that_is_not_public_is_connected_to(address: str) -> None:
    for addresses in ([address], ["93.184.216.34", address]):
        response, requests = sent(lambda _: httpx.Response(200), addresses=addresses)
        assert (response.status, response.error) == (None, "the host has an address that is not public")
        assert requests == []


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, ["93.184.216.34", "8.8.8.8", "2606:4700::1111"]))


def test_a_laptop_may_use_private_addresses_and_plain_http() -> None:
    response, [request] = sent(
        lambda _: httpx.Response(200), addresses=["127.0.0.1"], private=True, url="http://localhost:9/x"
    )
    assert (response.status, str(request.url)) == (200, "http://127.0.0.1:9/x")


def test_plain_http_is_refused_on_aws() -> None:
    response, requests = sent(lambda _: httpx.Response(200), url="http://game.example/")
    assert (response.error, requests) == ("only https is allowed", [])


def failing(error: Exception) -> Callable[[httpx.Request], Any]:
    def respond(request: httpx.Request) -> httpx.Response:
        raise error

    return respond


async def stalling(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError("it is never set")


async def not_gzip() -> AsyncIterator[bytes]:
    yield b"no gzip"


class Endless(httpx.AsyncByteStream):
    """A body that never ends."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000


@pytest.mark.parametrize(
    ("respond", "expected"),
    [
        (lambda _: httpx.Response(302, headers={"location": "http://169.254.169.254/"}),
         ReceiverResponse(status=302, error="redirects are not followed")),
        (lambda _: httpx.Response(500), ReceiverResponse(status=500)),
        (lambda _: httpx.Response(410), ReceiverResponse(status=410)),
        (
            lambda _: httpx.Response(429, headers={"retry-after": "9"}),
            ReceiverResponse(status=429, retry_after_s=9),
        ),
        (
            lambda _: httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 2026"}),
            ReceiverResponse(status=503),
        ),
        (lambda _: httpx.Response(302, headers={"location": "https://xn--a.x/"}),
         ReceiverResponse(status=302, error="redirects are not followed")),
        (lambda _: httpx.Response(200, content=not_gzip(), headers={"content-encoding": "gzip"}),
         ReceiverResponse(status=200)),
        (failing(ValueError("a defect of a library")), ReceiverResponse(error="ValueError")),
        (lambda _: httpx.Response(200, stream=Endless()), ReceiverResponse(status=200)),
        (failing(httpx.ConnectError("certificate verify failed")), ReceiverResponse(error="ConnectError")),
        (failing(httpx.RemoteProtocolError("nonsense")), ReceiverResponse(error="RemoteProtocolError")),
        (stalling, ReceiverResponse(error="no answer within 0 s")),
    ],
)  # fmt: skip
def test_every_behaviour_of_a_receiver_gives_a_response(
    respond: Callable[[httpx.Request], Any], expected: ReceiverResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_callbacks, "TIMEOUT_S", 0.2)
    found, requests = sent(respond)
    assert found == expected
    assert len(requests) == 1


def test_a_response_is_closed_before_its_body_is_read() -> None:
    body = Endless()
    sent(lambda _: httpx.Response(200, stream=body))
    assert body.closed == 1


def test_an_unresolved_host_gives_a_response() -> None:
    response, requests = sent(lambda _: httpx.Response(200), addresses=[])
    assert (response, requests) == (ReceiverResponse(error="the host has no address"), [])


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60),
        ("Friday, 15-Jan-27 08:01:00 GMT", 60),
        ("Fri Jan 15 08:01:00 2027", 60),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Fri, 15 Jan 2027 08:00:00 -0000", 0),
        ("9" * 20, int("9" * 20)),
        ("9" * 5000, None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_may_be_a_number_or_a_date(retry_after: str, waited: int | None) -> None:
    response, _ = sent(lambda _: httpx.Response(503, headers={"retry-after": retry_after}))
    assert response == ReceiverResponse(status=503, retry_after_s=waited)


@pytest.mark.parametrize("host", ["xn--strae-oqa.example", "XN--Strae-OQA.example", "xn--i-7iq.ws"])
def test_an_international_host_is_reached_by_the_name_that_was_allowed(host: str) -> None:
    looked_up: list[tuple[str, int]] = []
    response, [request] = sent(lambda _: httpx.Response(204), url=f"https://{host}/hook", looked_up=looked_up)
    assert response == ReceiverResponse(status=204)
    assert looked_up == [(host.lower(), 443)]
    assert request.extensions["sni_hostname"] == request.headers["host"] == host.lower()


def test_the_final_dot_of_a_host_is_not_compared_with_the_certificate() -> None:
    looked_up: list[tuple[str, int]] = []
    _, [request] = sent(lambda _: httpx.Response(204), url="https://game.example.:8443/", looked_up=looked_up)
    assert looked_up == [("game.example", 8443)]
    assert request.extensions["sni_hostname"] == "game.example"
    assert request.headers["host"] == "game.example:8443"


@pytest.mark.parametrize(
    "url", ["https://xn--a.x..\\:99999/", "https://xn--a.x/", "https://[::1/", "https:///x"]
)
def test_an_invalid_stored_address_gives_a_response(url: str) -> None:
    response, requests = sent(lambda _: httpx.Response(200), url=url)
    assert (response.status, requests) == (None, [])
    assert response.error


def test_all_addresses_are_tried_in_turn_those_of_ipv4_first() -> None:
    def only_the_last(request: httpx.Request) -> httpx.Response:
        if "2606" in request.url.host:
            return httpx.Response(204)
        raise httpx.ConnectTimeout("nobody there") if "34" in request.url.host else httpx.ConnectError("no")

    addresses = ["2606:4700::1111", "93.184.216.34", "93.184.216.35", "93.184.216.34"]
    response, requests = sent(only_the_last, addresses=addresses)
    assert response == ReceiverResponse(status=204)
    assert [r.url.host for r in requests] == ["93.184.216.34", "93.184.216.35", "2606:4700::1111"]
    assert str(requests[-1].url) == "https://[2606:4700::1111]:8443/hook?x=1"
    assert {r.extensions["timeout"]["connect"] for r in requests} == {http_callbacks.TIMEOUT_S / 4}


def test_when_no_address_responds_the_last_failure_is_reported() -> None:
    response, requests = sent(failing(httpx.ConnectTimeout("no")), addresses=["93.184.216.34", "8.8.8.8"])
    assert (response, len(requests)) == (ReceiverResponse(error="ConnectTimeout"), 2)


def test_a_receiver_that_may_have_the_callback_is_not_sent_it_at_another_address() -> None:
    response, requests = sent(failing(httpx.ReadError("broken")), addresses=["93.184.216.34", "8.8.8.8"])
    assert (response, len(requests)) == (ReceiverResponse(error="ReadError"), 1)


def test_a_host_without_any_address_gives_a_response() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        return []

    async def no_name(host: str, port: int) -> Sequence[str]:
        raise UnicodeError("label too long")

    for resolve in (nothing, no_name):
        sender = HttpCallbacks(SECRETS.of, ManualClock(), resolve=resolve)
        assert sender.send(a_delivery(url=URL)) == ReceiverResponse(error="the host has no address")
        sender.close()


def test_a_secret_that_cannot_be_read_gives_a_response() -> None:
    def unreadable(caller: str) -> str:
        raise RuntimeError("throttled")

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]

    sender = HttpCallbacks(unreadable, ManualClock(), resolve=resolve)
    assert sender.send(a_delivery(url=URL)) == ReceiverResponse(error="RuntimeError")
    sender.close()


def test_the_user_agent_is_sent_and_a_cookie_of_one_receiver_reaches_no_other() -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, headers={"set-cookie": "session=of-the-first; Path=/"})

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34"]  # both are behind one address

    sender = HttpCallbacks(SECRETS.of, ManualClock(), transport=httpx.MockTransport(respond), resolve=resolve)
    for url in ("https://first.example/", "https://second.example/"):
        assert sender.send(a_delivery(url=url)).status == 200
    sender.close()
    assert ["cookie" in request.headers for request in requests] == [False, False]
    assert [request.headers["user-agent"] for request in requests] == ["Darkroom", "Darkroom"]
