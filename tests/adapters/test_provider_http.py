"""Requests of the image providers over HTTP: limits, time-outs, encodings, keys and delays."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from darkroom.adapters import http_client
from darkroom.adapters.providers import delays, http
from darkroom.adapters.providers.gemini import Gemini
from darkroom.adapters.providers.openai import OpenAI
from darkroom.domain.shot_errors import (
    AccountUnusable,
    BadImage,
    ModelRetired,
    Overloaded,
    QuotaExhausted,
    ShotError,
    Throttled,
    Unauthorized,
)
from darkroom.ports import ImageProvider

from testing import recorded, virtual_time
from testing.recorded import KEY, Make, Server

BASE = "https://provider.example"


def gemini(client: httpx.AsyncClient, key: str = KEY) -> ImageProvider:
    return Gemini(client, base_url=BASE, model="m", thinking="", key=lambda: key)


def openai(client: httpx.AsyncClient, key: str = KEY) -> ImageProvider:
    return OpenAI(client, base_url=BASE, model="m", quality="low", key=lambda: key)


both = pytest.mark.parametrize("make", [gemini, openai])


def raising(error: Exception) -> Server:
    def respond(request: httpx.Request) -> httpx.Response:
        raise error

    return respond


@both
@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("no"),
        httpx.ConnectTimeout("no"),
        httpx.ReadTimeout("no"),
        httpx.RemoteProtocolError("no"),
    ],
)
def test_a_broken_connection_may_be_retried(make: Make, error: httpx.TransportError) -> None:
    with pytest.raises(Overloaded) as raised:
        recorded.generate(raising(error), make)
    assert type(error).__name__ in str(raised.value)


@both
def test_a_body_without_end_is_cut_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 10_000)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=endless()), make)
    assert sent <= 12_000


async def broken(error: Exception) -> AsyncIterator[bytes]:
    yield b'{"data": ['
    raise error


@both
@pytest.mark.parametrize("status", [200, 201, 299])
@pytest.mark.parametrize(
    "error",
    [
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("silent"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.ProxyError("gone"),
        httpx.LocalProtocolError("confused"),
        OSError("unreachable"),
        RuntimeError("a defect of a library"),
    ],
)
def test_a_success_whose_body_breaks_off_may_be_retried_and_is_billed(
    make: Make, status: int, error: Exception
) -> None:
    failure = recorded.failure(lambda request: httpx.Response(status, content=broken(error)), make)
    assert (type(failure), failure.billed) == (Overloaded, True)


@both
@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, Unauthorized), (402, QuotaExhausted), (404, ModelRetired), (429, Throttled), (503, Overloaded)],
)
def test_an_error_whose_body_breaks_off_has_the_meaning_of_its_status_and_is_free(
    make: Make, status: int, expected: type[ShotError]
) -> None:
    error = httpx.ReadError("reset")
    failure = recorded.failure(lambda request: httpx.Response(status, content=broken(error)), make)
    assert (type(failure), failure.billed) == (expected, False)


@both
@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (httpx.ConnectError("no"), False),
        (httpx.ConnectTimeout("no"), False),
        (httpx.PoolTimeout("no"), False),
        (httpx.WriteTimeout("no"), False),
        (httpx.WriteError("no"), False),
        (httpx.ReadTimeout("no"), True),
        (httpx.ReadError("no"), True),
        (httpx.RemoteProtocolError("no"), True),
    ],
)
def test_a_request_that_may_have_arrived_is_billed(
    make: Make, error: httpx.TransportError, billed: bool
) -> None:
    failure = recorded.failure(raising(error), make)
    assert (type(failure), failure.billed) == (Overloaded, billed)


def test_an_error_whose_body_never_ends_is_cut_off_after_five_seconds() -> None:
    async def trickling() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(1)

    async def post() -> tuple[int, float]:
        transport = httpx.MockTransport(lambda request: httpx.Response(429, content=trickling()))
        async with http_client.client(1, transport) as client:
            response = await http.post(client, BASE, body={}, headers={})
        return response.status, asyncio.get_running_loop().time()

    status, seconds = virtual_time.run(post())
    assert (status, seconds <= 5) == (429, True)


async def inflating(megabytes: int) -> AsyncIterator[bytes]:
    """Yield a compressed body of so many megabytes in one chunk."""
    squeeze = zlib.compressobj(9, wbits=31)
    parts = [squeeze.compress(bytes(1_000_000)) for _ in range(megabytes)]
    yield b"".join(parts) + squeeze.flush()


@both
@pytest.mark.parametrize(("status", "expected"), [(200, BadImage), (503, Overloaded)])
def test_a_response_that_inflates_without_end_is_cut_off_while_it_inflates(
    make: Make, monkeypatch: pytest.MonkeyPatch, status: int, expected: type[ShotError]
) -> None:
    monkeypatch.setattr(http, "MAX_RESPONSE_BYTES", 1_000_000)
    headers = {"content-encoding": "gzip"}
    tracemalloc.start()
    try:
        failure = recorded.failure(
            lambda request: httpx.Response(status, content=inflating(100), headers=headers), make
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (type(failure), failure.billed) == (expected, status == 200)
    assert most < 30_000_000


@both
@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip,deflate"])
def test_an_encoding_that_was_not_requested_is_not_inflated(make: Make, encoding: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield gzip.compress(gzip.compress(b"{}"))

    headers = {"content-encoding": encoding}
    failure = recorded.failure(lambda request: httpx.Response(200, content=body(), headers=headers), make)
    assert (type(failure), failure.billed) == (BadImage, True)


@both
@pytest.mark.parametrize("encoding", ["utf-8", "none", "identity", "aws-chunked", "identity, GZIP"])
def test_an_encoding_that_is_no_compression_is_ignored(make: Make, encoding: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        error = b'{"error": {"code": "billing_not_active"}}'
        yield gzip.compress(error) if "GZIP" in encoding else error

    headers = {"content-encoding": encoding}
    failure = recorded.failure(lambda request: httpx.Response(200, content=body(), headers=headers), make)
    assert (type(failure), failure.billed) == (AccountUnusable, True)


@both
def test_only_gzip_is_requested(make: Make) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "gzip"
        return httpx.Response(503)

    recorded.failure(respond, make)


@both
@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"[]", b"null", b'{"data": [{', b"\xff\xfe", b"[" * 10_000]
)
def test_a_response_that_is_no_object_is_a_bad_image(make: Make, body: bytes) -> None:
    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=body), make)


@both
def test_a_compressed_response_that_is_broken_is_a_bad_image(make: Make) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"not gzip at all"

    headers = {"content-encoding": "gzip"}
    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=body(), headers=headers), make)


@both
def test_a_compressed_response_is_read(make: Make) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield gzip.compress(b'{"error": {"code": "billing_not_active"}}')

    headers = {"content-encoding": "gzip"}
    failure = recorded.failure(lambda request: httpx.Response(429, content=body(), headers=headers), make)
    assert isinstance(failure, AccountUnusable)


@both
def test_being_cancelled_ends_the_request(make: Make) -> None:
    ended: list[bool] = []

    async def cancelled() -> None:
        begun = asyncio.Event()

        async def hang(request: httpx.Request) -> httpx.Response:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)
            raise AssertionError("an event that nobody sets was set")

        async with httpx.AsyncClient(transport=httpx.MockTransport(hang)) as client:
            task = asyncio.create_task(make(client).generate("a prompt", timeout_s=60))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    assert ended == [True]


@pytest.mark.parametrize("make", [gemini, openai])
@pytest.mark.parametrize("key", ["", "  \n", http.UNSET_KEY, "two words", "kéy", "line\nbreak"])
def test_nothing_is_sent_without_a_usable_key(
    make: Callable[[httpx.AsyncClient, str], ImageProvider], key: str
) -> None:
    with pytest.raises(Unauthorized):
        recorded.generate(raising(AssertionError("a request was sent")), lambda client: make(client, key))


@pytest.mark.parametrize("make", [gemini, openai])
def test_a_line_break_after_the_key_is_not_sent(
    make: Callable[[httpx.AsyncClient, str], ImageProvider],
) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert {"the-key", "Bearer the-key"} & set(request.headers.values())
        return httpx.Response(503)

    with pytest.raises(Overloaded):
        recorded.generate(respond, lambda client: make(client, "the-key\n"))


NOW = "Tue, 24 Nov 2026 03:00:00 GMT"
DAY = 86_400.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "9"}, 9.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-9"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 03:01:30 GMT", "date": NOW}, 90.0),
        ({"retry-after": "Tue, 24 Nov 2026 02:59:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Tue, 24 Nov 2026 03:01:30 GMT"}, None),
        ({"retry-after": "Tue, 24 Nov 99999 03:01:30 GMT", "date": NOW}, None),
        ({"retry-after": "86400"}, DAY),
        ({"retry-after": "2592000"}, DAY),
        ({"retry-after": "1e308"}, DAY),
        ({"retry-after": "9" * 300}, DAY),
        ({"retry-after": "9" * 5_000}, None),
        ({"retry-after": "-1e308"}, None),
        ({"retry-after": "-inf"}, None),
        ({"retry-after-ms": "1e308"}, DAY / 1000),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9.0),
        ({"retry-after": "Fri, 31 Dec 2100 00:00:00 GMT", "date": NOW}, DAY),
        ({"retry-after": "Tue, 24 Nov 2026 03:01:30 GMT", "date": "Thu, 01 Jan 1970 00:00:00 GMT"}, DAY),
        ({"retry-after": f"Tue, 24 Nov 2026 {'9' * 400}:01:30 GMT", "date": NOW}, None),
        ({"retry-after": "Tue, 24 Nov 2026 03:01:30 -0000", "date": f"{NOW[:-3]}+{'9' * 400}"}, None),
        ({"retry-after": "Tue, 24 Nov 2026 03:01:30 -0000", "date": NOW}, 90.0),
    ],
)
def test_a_delay_is_a_number_of_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert delays.retry_after(httpx.Headers(headers)) == seconds
