"""The Gemini adapter against recorded and quoted answers (tests/bodies), over httpx.MockTransport."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from darkroom.adapters import gemini, http
from darkroom.adapters.gemini import Gemini
from darkroom.domain.errors import (
    BadImage,
    InvalidPrompt,
    ModelRetired,
    NoImage,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    Throttled,
    Unauthorized,
)
from darkroom.ports import RawImage

BODIES = Path(__file__).parent.parent / "bodies"
PROMPT = "a brass key"


def body_of(name: str) -> bytes:
    """A recorded body; what was elided as `<base64 N chars>` has its length again."""
    text = (BODIES / name).read_text()
    return re.sub(r"<base64 (\d+) chars>", lambda m: "QUJD" * (int(m[1]) // 4), text).encode()


def generate(
    answer: Callable[[httpx.Request], httpx.Response], key: str = "the-key", thinking: str = "minimal"
) -> RawImage:
    async def ask() -> RawImage:
        async with http.client(1, httpx.MockTransport(answer)) as client:
            provider = Gemini(
                client,
                base_url="https://gemini.example",
                model="gemini-nano-banana-2.1",
                thinking=thinking,
                key=lambda: key,
            )
            return await provider.generate(PROMPT, timeout_s=41.2)

    return asyncio.run(ask())


def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> RawImage:
    return generate(lambda request: httpx.Response(status, content=body, headers=headers))


def failing(status: int, body: bytes, headers: dict[str, str] | None = None) -> ShotError:
    with pytest.raises(ShotError) as raised:
        answering(status, body, headers)
    return raised.value


def a_part(data: bytes = b"picture", mime: str = "image/jpeg", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}, **more}


def an_answer(*parts: Any, reason: str = "STOP") -> bytes:
    content = {"role": "model", "parts": list(parts)}
    return json.dumps({"candidates": [{"content": content, "finishReason": reason}]}).encode()


def test_the_request_is_the_documented_one() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=an_answer(a_part()))

    generate(answer)
    [request] = seen
    assert request.method == "POST"
    assert str(request.url) == "https://gemini.example/v1beta/models/gemini-nano-banana-2.1:generateContent"
    assert request.headers["x-goog-api-key"] == "the-key"
    assert request.headers["x-server-timeout"] == "42"
    assert json.loads(request.content) == {
        "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
            "thinkingConfig": {"thinkingLevel": "minimal"},
        },
    }


def test_thinking_can_be_left_to_the_model() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "thinkingConfig" not in json.loads(request.content)["generationConfig"]
        return httpx.Response(200, content=an_answer(a_part()))

    generate(answer, thinking="")


def test_a_recorded_answer_gives_its_picture_mime_and_model() -> None:
    image = answering(200, body_of("gemini_200_flash_lite_image.json"))
    assert len(image.data) == 1_041_948 // 4 * 3
    assert (image.mime, image.model) == ("image/jpeg", "gemini-3.1-flash-lite-image")


def test_the_mime_type_is_the_parts_own() -> None:
    assert answering(200, an_answer(a_part(mime="image/png"))).mime == "image/png"


@pytest.mark.parametrize(
    ("parts", "chosen"),
    [
        ([{"text": "Here it is:"}, a_part(b"after text")], b"after text"),
        ([a_part(b"before text"), {"text": "There it was."}], b"before text"),
        ([a_part(b"draft"), a_part(b"draft 2"), a_part(b"final")], b"final"),
        ([a_part(b"draft", thought=True), a_part(b"final"), a_part(b"idea", thought=True)], b"final"),
        ([a_part(b"only a thought", thought=True)], b"only a thought"),
        ([a_part(b"sound", mime="audio/mp3"), a_part(b"picture")], b"picture"),
        ([None, 7, {"inlineData": None}, {"inlineData": {}}, a_part(b"picture")], b"picture"),
    ],
)
def test_the_last_picture_that_is_no_thought_is_chosen(parts: list[Any], chosen: bytes) -> None:
    assert answering(200, an_answer(*parts)).data == chosen


@pytest.mark.parametrize(
    ("name", "error", "retryable"),
    [
        ("gemini_200_image_prohibited_content.json", Refused, False),
        ("gemini_200_image_safety.json", Refused, False),
        ("gemini_200_prompt_blocked.json", Refused, False),
        ("gemini_200_image_other.json", NoImage, True),
        ("gemini_200_stop_without_image.json", NoImage, True),
    ],
)
def test_a_200_without_a_picture_has_its_reason(name: str, error: type[ShotError], retryable: bool) -> None:
    failure = failing(200, body_of(name))
    assert type(failure) is error
    assert failure.retryable is retryable


@pytest.mark.parametrize("reason", sorted(gemini.REFUSALS))
def test_every_refusal_is_final(reason: str) -> None:
    failure = failing(200, an_answer(reason=reason))
    assert isinstance(failure, Refused)
    assert reason in str(failure)


@pytest.mark.parametrize("reason", ["NO_IMAGE", "OTHER", "MALFORMED_RESPONSE", "MAX_TOKENS", "A_NEW_ONE"])
def test_every_other_reason_may_pass(reason: str) -> None:
    assert isinstance(failing(200, an_answer(reason=reason)), NoImage)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"candidates": null}',
        b'{"candidates": []}',
        b'{"candidates": [null]}',
        b'{"candidates": [{}]}',
        b'{"candidates": [{"content": null}]}',
        b'{"candidates": [{"content": {"parts": {}}}]}',
    ],
)
def test_answers_with_parts_missing_are_answers_without_a_picture(body: bytes) -> None:
    assert isinstance(failing(200, body), NoImage)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"[]",
        an_answer(a_part())[:-20],
        an_answer({"inlineData": {"mimeType": "image/png", "data": "not base64!"}}),
        an_answer({"inlineData": {"mimeType": "image/png"}}),
        an_answer({"inlineData": {"mimeType": "image/png", "data": 7}}),
    ],
)
def test_an_answer_that_cannot_be_decoded_is_a_bad_image(body: bytes) -> None:
    assert isinstance(failing(200, body), BadImage)


def test_the_recorded_rate_limit_names_its_delay() -> None:
    failure = failing(429, body_of("gemini_429_paid_tier_retryinfo.json"))
    assert isinstance(failure, Throttled)
    assert failure.retry_after == 48.0


def test_a_bare_rate_limit_names_none() -> None:
    failure = failing(429, body_of("gemini_429_bare.json"))
    assert isinstance(failure, Throttled)
    assert failure.retry_after is None


def with_details(*details: dict[str, Any], message: str = "quota") -> bytes:
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    "body",
    [
        with_details({"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}),
        with_details({"violations": [{"quotaId": "PerMinute", "quotaValue": "0"}]}),
        with_details(message="Quota exceeded for metric: x, limit: 0, model: y"),
    ],
)
def test_a_daily_or_zero_quota_is_final(body: bytes) -> None:
    assert isinstance(failing(429, body), QuotaExhausted)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [("0.250s", 0.25), ("7s", 7.0), ("soon", None), ("-1s", None), ("infs", None), ("nans", None)],
)
def test_delays_are_durations_or_nothing(delay: str, seconds: float | None) -> None:
    failure = failing(429, with_details({"retryDelay": delay}))
    assert failure.retry_after == seconds


def test_a_proxys_retry_after_header_counts_too() -> None:
    assert failing(503, b"", {"retry-after": "9"}).retry_after == 9.0


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, body_of("gemini_400_api_key_invalid.json"), Unauthorized),
        (400, body_of("gemini_400_unknown_field.json"), InvalidPrompt),
        (400, b'{"error": {"status": "FAILED_PRECONDITION"}}', Unauthorized),
        (401, b"", Unauthorized),
        (403, b'{"error": {"status": "PERMISSION_DENIED"}}', Unauthorized),
        (404, body_of("gemini_404.json"), ModelRetired),
        (408, b"", Overloaded),
        (413, b"", InvalidPrompt),
        (500, body_of("gemini_500.json"), Overloaded),
        (502, b"<html>", Overloaded),
        (503, body_of("gemini_503.json"), Overloaded),
        (504, b'{"error": {"status": "DEADLINE_EXCEEDED"}}', Overloaded),
        (529, b"", Overloaded),
        (302, b"", InvalidPrompt),
    ],
)
def test_every_status_has_its_error(status: int, body: bytes, error: type[ShotError]) -> None:
    assert type(failing(status, body)) is error


@pytest.mark.parametrize(
    "name", sorted(p.name for p in BODIES.glob("gemini_*.json") if "_200_" not in p.name)
)
def test_no_message_quotes_the_providers_text(name: str) -> None:
    status = int(name.split("_")[1][:3])
    text = json.loads(body_of(name))["error"]["message"]
    assert text not in str(failing(status, body_of(name)))


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("no"), httpx.ReadTimeout("no"), httpx.RemoteProtocolError("no")]
)
def test_a_broken_connection_may_be_whole_next_time(error: httpx.TransportError) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Overloaded):
        generate(answer)


def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemini, "MAX_ANSWER_BYTES", 10_000)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b" " * 1000

    with pytest.raises(BadImage):
        generate(lambda request: httpx.Response(200, content=endless()))
    assert sent <= 12_000


@pytest.mark.parametrize("key", ["", gemini.UNSET_KEY])
def test_without_a_key_nothing_is_sent(key: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("a request was sent")

    with pytest.raises(Unauthorized):
        generate(answer, key=key)
