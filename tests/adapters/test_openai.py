"""The OpenAI adapter with recorded and documented responses (testing/bodies), over httpx.MockTransport."""

import base64
import json
from typing import Any

import httpx
import pytest
from darkroom.adapters.providers.openai import OpenAI
from darkroom.domain.shot_errors import (
    AccountUnusable,
    BadImage,
    InvalidPrompt,
    Misconfigured,
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

from testing import recorded
from testing.recorded import BODIES, KEY, PROMPT, body_of


def provider(client: httpx.AsyncClient) -> OpenAI:
    return OpenAI(
        client, base_url="https://openai.example", model="gpt-image-2", quality="medium", key=lambda: KEY
    )


def generated(status: int, body: bytes) -> RawImage:
    return recorded.generate(recorded.server_returning(status, body), provider)


def failing(status: int, body: bytes, headers: dict[str, str] | None = None) -> ShotError:
    return recorded.failure(recorded.server_returning(status, body, headers), provider)


def an_item(data: bytes = b"picture") -> dict[str, Any]:
    return {"b64_json": base64.b64encode(data).decode()}


def a_response(*items: Any, **more: Any) -> bytes:
    return json.dumps({"created": 1, "data": list(items), **more}).encode()


def an_error(code: Any, kind: str = "invalid_request_error") -> bytes:
    return json.dumps({"error": {"message": PROMPT, "type": kind, "param": None, "code": code}}).encode()


def test_the_request_is_the_documented_one() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=a_response(an_item()))

    recorded.generate(respond, provider)
    [request] = seen
    assert request.method == "POST"
    assert str(request.url) == "https://openai.example/v1/images/generations"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(request.content) == {
        "model": "gpt-image-2",
        "prompt": PROMPT,
        "n": 1,
        "size": "1024x1024",
        "quality": "medium",
        "output_format": "jpeg",
        "output_compression": 90,
        "moderation": "auto",
    }


def test_a_recorded_response_gives_its_picture_and_the_requested_model() -> None:
    image = generated(200, body_of("openai_200_gpt-image-1.json"))
    assert len(image.data) == 2_447_204 // 4 * 3
    assert image.model == "gpt-image-2"


@pytest.mark.parametrize(
    "items",
    [
        [an_item(b"draft"), an_item(b"picture")],
        [None, 7, {}, an_item()],
        [an_item(), {"b64_json": None}, {"url": "https://openai.example/1.png"}],
    ],
)
def test_the_last_picture_is_chosen(items: list[Any]) -> None:
    assert generated(200, a_response(*items)).data == b"picture"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"data": null}',
        b'{"data": {}}',
        b'{"data": []}',
        b'{"data": [null]}',
        b'{"data": [{}]}',
        b'{"data": [{"b64_json": null}]}',
        b'{"data": [{"url": "https://openai.example/1.png"}]}',
    ],
)
def test_a_response_with_missing_parts_has_no_picture(body: bytes) -> None:
    assert isinstance(failing(200, body), NoImage)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Bad gateway</html>",
        a_response(an_item())[:-20],
        a_response({"b64_json": "not base64!"}),
        a_response({"b64_json": 7}),
    ],
)
def test_a_response_that_cannot_be_decoded_is_a_bad_image(body: bytes) -> None:
    assert isinstance(failing(200, body), BadImage)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, body_of("openai_400_moderation_blocked.json"), Refused),
        (400, an_error("content_policy_violation"), Refused),
        (400, body_of("openai_400_invalid_image.json"), InvalidPrompt),
        (400, body_of("openai_400_unknown_parameter.json"), Misconfigured),
        (400, an_error(None, "image_generation_user_error"), InvalidPrompt),
        (400, an_error(["moderation_blocked"]), InvalidPrompt),
        (400, an_error("billing_hard_limit_reached"), QuotaExhausted),
        (400, b'{"error": "a text"}', InvalidPrompt),
        (400, b"<html>", InvalidPrompt),
        (401, body_of("openai_401.json"), Unauthorized),
        (401, b"", Unauthorized),
        (403, an_error("unsupported_country_region_territory"), AccountUnusable),
        (403, an_error("model_not_found"), ModelRetired),
        (400, an_error("model_not_found"), ModelRetired),
        (404, b"", ModelRetired),
        (408, b"", Overloaded),
        (409, b"", Overloaded),
        (413, b"", InvalidPrompt),
        (429, an_error("rate_limit_exceeded", "tokens"), Throttled),
        (429, an_error("insufficient_quota", "insufficient_quota"), QuotaExhausted),
        (429, an_error("billing_hard_limit_reached"), QuotaExhausted),
        (429, b"", Throttled),
        (500, an_error("moderation_blocked"), Overloaded),
        (502, b"<html>", Overloaded),
        (503, b"", Overloaded),
        (520, b"", Overloaded),
        (302, b"", Misconfigured),
    ],
)
def test_every_response_has_its_error(status: int, body: bytes, error: type[ShotError]) -> None:
    assert type(failing(status, body)) is error


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, None), ({"Retry-After": "20"}, 20.0), ({"Retry-After-Ms": "1500"}, 1.5)]
)
def test_the_delay_is_read_from_the_headers(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert failing(status, b"", headers).retry_after == seconds


@pytest.mark.parametrize("name", sorted(p.name for p in BODIES.glob("openai_4*.json")))
def test_no_message_quotes_the_providers_text(name: str) -> None:
    error = json.loads(body_of(name))["error"]
    message = str(failing(int(name.split("_")[1][:3]), body_of(name)))
    assert error["message"] not in message
    assert message.endswith(error["code"])
