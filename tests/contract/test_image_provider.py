"""The promises of ImageProvider, kept by the fake and by every adapter over the wire it speaks.

What becomes of a cancelled request differs: see test_provider_http.py and test_bedrock_cancel.py.
"""

import asyncio
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from botocore.awsrequest import AWSResponse
from darkroom.adapters import aws, http_client
from darkroom.adapters.providers.bedrock import Bedrock
from darkroom.adapters.providers.gemini import Gemini
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

from testing.fakes.images import ScriptedProvider
from testing.recorded import body_of

PROMPT = "A hand reaches out of the harbour water, holding a pocket watch."
KEY = "sk-live-0123456789abcdef"
QUOTING = f"Rejected: {PROMPT} (key {KEY})"
EVENT = "before-send.bedrock-runtime.InvokeModel"

type Wire = tuple[int, bytes]
"""An HTTP status and a body."""


def google(status: int, name: str, *details: dict[str, Any]) -> Wire:
    error = {"code": status, "message": QUOTING, "status": name, "details": details}
    return status, json.dumps({"error": error}).encode()


def openai(status: int, code: str) -> Wire:
    return status, json.dumps({"error": {"message": QUOTING, "type": "x", "code": code}}).encode()


def amazon(status: int, name: str) -> Wire:
    return status, json.dumps({"__type": name, "message": QUOTING}).encode()


WIRES: Mapping[str, Mapping[type[ShotError] | None, Wire]] = {
    "gemini": {
        None: (200, body_of("gemini_200_flash_lite_image.json")),
        Throttled: google(429, "RESOURCE_EXHAUSTED"),
        QuotaExhausted: google(429, "RESOURCE_EXHAUSTED", {"violations": [{"quotaId": "RequestsPerDay"}]}),
        Overloaded: google(503, "UNAVAILABLE"),
        Refused: (200, json.dumps({"promptFeedback": {"blockReason": QUOTING}}).encode()),
        NoImage: (200, json.dumps({"candidates": [{"finishReason": QUOTING}]}).encode()),
        BadImage: (200, f"<html>{QUOTING}".encode()),
        InvalidPrompt: google(400, QUOTING),
        Unauthorized: google(400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}),
        AccountUnusable: google(403, "PERMISSION_DENIED", {"reason": "CONSUMER_SUSPENDED"}),
        Misconfigured: google(400, "INVALID_ARGUMENT", {"fieldViolations": [{"field": "generation_config"}]}),
        ModelRetired: google(404, "NOT_FOUND"),
    },
    "openai": {
        None: (200, body_of("openai_200_gpt-image-1.json")),
        Throttled: openai(429, "rate_limit_exceeded"),
        QuotaExhausted: openai(429, "insufficient_quota"),
        Overloaded: openai(503, QUOTING),
        Refused: openai(400, "moderation_blocked"),
        NoImage: (200, json.dumps({"data": [], "note": QUOTING}).encode()),
        BadImage: (200, f"<html>{QUOTING}".encode()),
        InvalidPrompt: openai(400, QUOTING),
        Unauthorized: openai(401, "invalid_api_key"),
        AccountUnusable: openai(429, "billing_not_active"),
        Misconfigured: (400, b'{"error": {"code": "invalid_value", "param": "size"}}'),
        ModelRetired: openai(404, "model_not_found"),
    },
    "bedrock": {
        None: (200, body_of("bedrock_200_stable_image_core.json")),
        Throttled: amazon(429, "ThrottlingException"),
        QuotaExhausted: amazon(400, "ServiceQuotaExceededException"),
        Overloaded: amazon(503, "ServiceUnavailableException"),
        Refused: (200, json.dumps({"finish_reasons": [f"Filter reason: {QUOTING}"]}).encode()),
        NoImage: (200, json.dumps({"finish_reasons": [QUOTING]}).encode()),
        BadImage: (200, f"<html>{QUOTING}".encode()),
        InvalidPrompt: amazon(400, "ValidationException"),
        Unauthorized: amazon(403, "AccessDeniedException"),
        AccountUnusable: amazon(403, "SubscriptionRequiredException"),
        Misconfigured: (
            400,
            b'{"__type": "ValidationException", "message": "Malformed input request: #: x"}',
        ),
        ModelRetired: amazon(404, "ResourceNotFoundException"),
    },
}
ERRORS = [error for error in WIRES["gemini"] if error]
ADAPTERS = [*WIRES]


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    yield
    aws.bedrock.cache_clear()


def generate(kind: str, outcome: type[ShotError] | None) -> RawImage:
    if kind == "fake":
        provider = ScriptedProvider(replies={"": [outcome("scripted") if outcome else 0.0]})
        return asyncio.run(provider.generate(PROMPT, timeout_s=60))
    return over_the_wire(kind, *WIRES[kind][outcome])


def over_the_wire(kind: str, status: int, body: bytes) -> RawImage:
    if kind == "bedrock":
        return from_bedrock(status, body)
    return asyncio.run(from_http(kind, status, body))


async def from_http(kind: str, status: int, body: bytes) -> RawImage:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    async with http_client.client(1, transport) as client:
        base = "https://provider.example"
        provider = (
            Gemini(client, base_url=base, model="a-model", thinking="", key=lambda: KEY)
            if kind == "gemini"
            else OpenAI(client, base_url=base, model="a-model", quality="low", key=lambda: KEY)
        )
        return await provider.generate(PROMPT, timeout_s=60)


class _Body(io.BytesIO):
    """A raw body for botocore, like that of urllib3."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def from_bedrock(status: int, body: bytes) -> RawImage:
    client: Any = aws.bedrock("us-west-2", 1)
    headers: Any = {"content-type": "application/json", "content-length": str(len(body))}
    client.meta.events.register(EVENT, lambda **_: AWSResponse("", status, headers, _Body(body)))
    provider = Bedrock(client, model="a-model", concurrency=1)
    return asyncio.run(provider.generate(PROMPT, timeout_s=60))


@pytest.mark.parametrize("kind", ["fake", *ADAPTERS])
def test_a_picture_comes_with_its_model(kind: str) -> None:
    image = generate(kind, None)
    assert image.data
    assert image.model


@pytest.mark.parametrize("kind", ["fake", *ADAPTERS])
@pytest.mark.parametrize("error", ERRORS)
def test_every_failure_becomes_its_shot_error(kind: str, error: type[ShotError]) -> None:
    with pytest.raises(ShotError) as raised:
        generate(kind, error)
    assert type(raised.value) is error


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("error", ERRORS)
def test_no_message_quotes_the_prompt_the_key_or_the_provider(kind: str, error: type[ShotError]) -> None:
    with pytest.raises(ShotError) as raised:
        generate(kind, error)
    link: BaseException | None = raised.value
    while link is not None:
        for part in (PROMPT, KEY, "Rejected"):
            assert part not in str(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_truncated_response_is_a_bad_image(kind: str) -> None:
    status, body = WIRES[kind][None]
    with pytest.raises(BadImage):
        over_the_wire(kind, status, body[:-20])


@pytest.mark.parametrize("kind", ["fake", *ADAPTERS])
@pytest.mark.parametrize("error", ERRORS)
def test_a_failure_is_billed_exactly_if_the_status_was_a_success(kind: str, error: type[ShotError]) -> None:
    with pytest.raises(ShotError) as raised:
        generate(kind, error)
    status = 200 if kind == "fake" and error.billed else WIRES.get(kind, {}).get(error, (400,))[0]
    assert raised.value.billed is (status == 200)


@pytest.mark.parametrize("kind", ["gemini", "openai"])
@pytest.mark.parametrize("status", [201, 202, 206, 299])
def test_a_picture_is_taken_with_every_success(kind: str, status: int) -> None:
    assert over_the_wire(kind, status, WIRES[kind][None][1]).data


UNKNOWN = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"<html>busy</html>",
    b'{"a new form": {"picture": "QUJD"}}',
    b'{"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "%"}}]}}]}',
    b'{"data": [{"b64_json": "%"}]}',
    b'{"images": ["%"]}',
    b'{"error": {"code": 500, "message": "inside"}}',
    b'{"error": {"code": 402, "message": "Your prepayment credits are depleted"}}',
    b'{"error": {"code": 429, "type": "billing_not_active"}}',
    b'{"promptFeedback": {"blockReason": "SAFETY"}}',
    b'{"candidates": [{"finishReason": "IMAGE_SAFETY"}]}',
    b'{"finish_reasons": ["Filter reason: prompt"]}',
]


@pytest.mark.parametrize("kind", ADAPTERS)
@pytest.mark.parametrize("body", UNKNOWN)
def test_a_success_that_holds_no_usable_picture_is_billed_whatever_it_holds(kind: str, body: bytes) -> None:
    with pytest.raises(ShotError) as raised:
        over_the_wire(kind, 200, body)
    assert raised.value.billed
