"""What the image providers share, by itself and, over httpx.MockTransport, in those that use it."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from darkroom.adapters import answers
from darkroom.adapters.gemini import Gemini
from darkroom.adapters.openai import OpenAI
from darkroom.domain.errors import BadImage, Overloaded, Unauthorized
from darkroom.ports import ImageProvider

from tests import recorded
from tests.recorded import KEY, Make, Server

BASE = "https://provider.example"


def gemini(client: httpx.AsyncClient, key: str = KEY) -> ImageProvider:
    return Gemini(client, base_url=BASE, model="m", thinking="", key=lambda: key)


def openai(client: httpx.AsyncClient, key: str = KEY) -> ImageProvider:
    return OpenAI(client, base_url=BASE, model="m", quality="low", key=lambda: key)


both = pytest.mark.parametrize("make", [gemini, openai])


def raising(error: Exception) -> Server:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


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
def test_a_broken_connection_may_be_whole_next_time(make: Make, error: httpx.TransportError) -> None:
    with pytest.raises(Overloaded) as raised:
        recorded.generate(raising(error), make)
    assert type(error).__name__ in str(raised.value)


@both
def test_a_body_without_end_is_cut_off(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 10_000)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=endless()), make)
    assert sent <= 12_000


@both
def test_a_body_that_breaks_off_may_be_whole_next_time(make: Make) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"data": ['
        raise httpx.RemoteProtocolError("peer closed connection")

    with pytest.raises(Overloaded):
        recorded.generate(lambda request: httpx.Response(200, content=broken()), make)


@both
@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"[]", b"null", b'{"data": [{', b"\xff\xfe", b"[" * 10_000]
)
def test_an_answer_that_is_no_object_is_a_bad_image(make: Make, body: bytes) -> None:
    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=body), make)


@both
def test_a_compressed_answer_that_is_broken_is_a_bad_image(make: Make) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"not gzip at all"

    headers = {"content-encoding": "gzip"}
    with pytest.raises(BadImage):
        recorded.generate(lambda request: httpx.Response(200, content=broken(), headers=headers), make)


@both
def test_a_compressed_answer_is_read(make: Make) -> None:
    body, headers = gzip.compress(b'{"error": {"code": "x"}}'), {"content-encoding": "gzip"}
    with pytest.raises(Overloaded):
        recorded.generate(lambda request: httpx.Response(503, content=body, headers=headers), make)


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
@pytest.mark.parametrize("key", ["", "  \n", answers.UNSET_KEY, "two words", "kéy", "line\nbreak"])
def test_without_a_key_that_can_be_sent_nothing_is(
    make: Callable[[httpx.AsyncClient, str], ImageProvider], key: str
) -> None:
    with pytest.raises(Unauthorized):
        recorded.generate(raising(AssertionError("a request was sent")), lambda client: make(client, key))


@pytest.mark.parametrize("make", [gemini, openai])
def test_a_line_break_after_the_key_is_not_sent(
    make: Callable[[httpx.AsyncClient, str], ImageProvider],
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert {"the-key", "Bearer the-key"} & set(request.headers.values())
        return httpx.Response(503)

    with pytest.raises(Overloaded):
        recorded.generate(answer, lambda client: make(client, "the-key\n"))


NOW = "Tue, 24 Nov 2026 03:00:00 GMT"


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
    ],
)
def test_a_delay_is_a_number_of_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert answers.retry_after(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize("value", ["IMAGE_SAFETY", "gemini-3.1-flash-image", "stability.sd3:0", "a" * 64])
def test_a_name_may_be_quoted(value: str) -> None:
    assert answers.word(value) == value


@pytest.mark.parametrize("value", ["a brass key", "", "a" * 65, None, 7, ["SAFETY"], "line\nbreak", "end\n"])
def test_a_text_may_not(value: object) -> None:
    assert answers.word(value) == "?"


@pytest.mark.parametrize("data", ["", None, 7, [], "not base64!", "QUJ", "QUJD\n", "QUJ-", "é"])
def test_what_is_not_base64_is_a_bad_image(data: object) -> None:
    with pytest.raises(BadImage):
        answers.decoded(data)
