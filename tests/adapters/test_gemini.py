"""The Gemini adapter with recorded and documented responses (testing/bodies), over httpx.MockTransport."""

import base64
import json
from typing import Any

import httpx
import pytest
from darkroom.adapters.providers import gemini
from darkroom.adapters.providers.gemini import Gemini
from darkroom.domain.shot_errors import BadImage, NoImage, Refused, ShotError
from darkroom.ports import RawImage

from testing import recorded
from testing.recorded import KEY, PROMPT, body_of


def provider(client: httpx.AsyncClient, thinking: str = "minimal") -> Gemini:
    return Gemini(
        client,
        base_url="https://gemini.example",
        model="gemini-nano-banana-2.1",
        thinking=thinking,
        key=lambda: KEY,
    )


def generated(status: int, body: bytes) -> RawImage:
    return recorded.generate(recorded.server_returning(status, body), provider)


def failing(status: int, body: bytes) -> ShotError:
    return recorded.failure(recorded.server_returning(status, body), provider)


def a_part(data: bytes = b"picture", mime: str = "image/jpeg", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}, **more}


def a_response(*parts: Any, reason: Any = "STOP") -> bytes:
    content = {"role": "model", "parts": list(parts)}
    return json.dumps({"candidates": [{"content": content, "finishReason": reason}]}).encode()


def test_the_request_is_the_documented_one() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=a_response(a_part()))

    recorded.generate(respond, provider)
    [request] = seen
    assert request.method == "POST"
    assert str(request.url) == "https://gemini.example/v1beta/models/gemini-nano-banana-2.1:generateContent"
    assert request.headers["x-goog-api-key"] == KEY
    assert request.headers["x-server-timeout"] == "42"
    assert json.loads(request.content) == {
        "contents": [{"role": "user", "parts": [{"text": PROMPT}]}],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
            "thinkingConfig": {"thinkingLevel": "minimal"},
        },
    }


def test_no_thinking_level_is_sent_when_the_setting_is_empty() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert "thinkingConfig" not in json.loads(request.content)["generationConfig"]
        return httpx.Response(200, content=a_response(a_part()))

    recorded.generate(respond, lambda client: provider(client, thinking=""))


def test_a_recorded_response_gives_its_picture_and_model() -> None:
    image = generated(200, body_of("gemini_200_flash_lite_image.json"))
    assert len(image.data) == 1_041_948 // 4 * 3
    assert image.model == "gemini-3.1-flash-lite-image"


def test_a_response_of_vertex_with_other_fields_is_read_the_same() -> None:
    image = generated(200, body_of("vertex_200_flash_lite_image.json"))
    assert len(image.data) == 192_412 // 4 * 3


def test_unknown_fields_are_ignored() -> None:
    response = json.loads(a_response(a_part(thoughtSignature="QUJD" * 100)))
    response["candidates"][0] |= {"finishMessage": "done", "safetyRatings": None, "index": 0}
    response |= {
        "createTime": "2026-08-19T14:34:52Z",
        "modelStatus": {},
        "promptFeedback": {"safetyRatings": []},
    }
    response["usageMetadata"] = {"trafficType": "ON_DEMAND", "thoughtsTokenCount": 240}
    assert generated(200, json.dumps(response).encode()).data == b"picture"


@pytest.mark.parametrize("version", [None, 7, {}, "not a name but a sentence"])
def test_without_a_version_the_model_is_the_requested_one(version: Any) -> None:
    response = json.loads(a_response(a_part())) | {"modelVersion": version}
    assert generated(200, json.dumps(response).encode()).model == "gemini-nano-banana-2.1"


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
    assert generated(200, a_response(*parts)).data == chosen


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
    failure = failing(200, a_response(reason=reason))
    assert isinstance(failure, Refused)
    assert reason in str(failure)


@pytest.mark.parametrize(
    "reason",
    ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "JAILBREAK", {"a": 1}, "a b c"],
)
def test_whatever_blocks_the_prompt_is_final(reason: Any) -> None:
    body = json.dumps({"promptFeedback": {"blockReason": reason}}).encode()
    assert isinstance(failing(200, body), Refused)


@pytest.mark.parametrize("unset", ["BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "", None])
def test_an_unset_block_reason_blocks_nothing(unset: str | None) -> None:
    response = json.loads(a_response(a_part())) | {"promptFeedback": {"blockReason": unset}}
    assert generated(200, json.dumps(response).encode()).data == b"picture"


@pytest.mark.parametrize(
    "reason", ["SAFETY", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED", ["SAFETY"], {}, None]
)
def test_a_picture_is_accepted_with_any_finish_reason(reason: Any) -> None:
    assert generated(200, a_response(a_part(), reason=reason)).data == b"picture"


@pytest.mark.parametrize("mime", [None, "", "application/octet-stream", "IMAGE/PNG"])
def test_a_picture_is_accepted_with_a_missing_or_general_media_type(mime: Any) -> None:
    part = a_part(mime=mime)
    assert generated(200, a_response({"text": "Here it is"}, part)).data == b"picture"
    del part["inlineData"]["mimeType"]
    assert generated(200, a_response(part)).data == b"picture"


def test_a_sound_is_no_picture() -> None:
    assert isinstance(failing(200, a_response(a_part(mime="audio/wav"))), NoImage)


def test_a_picture_is_accepted_although_the_prompt_is_called_blocked() -> None:
    response = json.loads(a_response(a_part())) | {"promptFeedback": {"blockReason": "OTHER"}}
    assert generated(200, json.dumps(response).encode()).data == b"picture"


def test_the_first_finish_reason_that_is_set_counts() -> None:
    candidates = [{"finishReason": "FINISH_REASON_UNSPECIFIED"}, {}, {"finishReason": "SAFETY"}]
    assert isinstance(failing(200, json.dumps({"candidates": candidates}).encode()), Refused)


@pytest.mark.parametrize(
    "reason", ["NO_IMAGE", "OTHER", "MALFORMED_RESPONSE", "MAX_TOKENS", "A_NEW_ONE", ["SAFETY"], {}, 7]
)
def test_every_other_reason_may_be_retried(reason: Any) -> None:
    assert isinstance(failing(200, a_response(reason=reason)), NoImage)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"candidates": null}',
        b'{"candidates": []}',
        b'{"candidates": [null]}',
        b'{"candidates": [{}]}',
        b'{"candidates": [{"content": null}]}',
        b'{"candidates": [{"content": {}}]}',
        b'{"candidates": [{"content": {"parts": null}}]}',
        b'{"candidates": [{"content": {"parts": []}}]}',
        b'{"promptFeedback": null, "candidates": [7]}',
        b'{"error": {"code": 500}}',
        b'{"candidates": [{"content": {"parts": {}}}]}',
    ],
)
def test_a_response_with_missing_parts_has_no_picture(body: bytes) -> None:
    assert isinstance(failing(200, body), NoImage)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"[]",
        a_response(a_part())[:-20],
        a_response({"inlineData": {"mimeType": "image/png", "data": "not base64!"}}),
        a_response({"inlineData": {"mimeType": "image/png"}}),
        a_response({"inlineData": {"mimeType": "image/png", "data": 7}}),
    ],
)
def test_a_response_that_cannot_be_decoded_is_a_bad_image(body: bytes) -> None:
    assert isinstance(failing(200, body), BadImage)
