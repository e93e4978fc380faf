"""Google's Gemini image models over `generateContent`.

Shapes and error bodies: ai.google.dev/gemini-api/docs, and recorded answers in tests/bodies. An
answer holds 2 to 4 MB, most of it a thought signature; only the picture is kept and nothing logged.
"""

import asyncio
import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
from pydantic_core import from_json

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

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Eight times what was ever seen; a body that never ends stops here."""

UNSET_KEY = "unset"
"""What the template stores when no key was given."""

REFUSALS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
    }
)
"""Finish reasons after which the same prompt gets the same answer."""

_RETRYABLE_STATUS = frozenset({408, 500, 502, 503, 504})


class Gemini:
    """See ImageProvider."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        base_url: str,
        model: str,
        thinking: str,
        key: Callable[[], str],
    ) -> None:
        self._client = client
        self._url = f"{base_url}/v1beta/models/{model}:generateContent"
        self._model = model
        self._thinking = thinking
        self._key = key

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        """See ImageProvider."""
        key = await asyncio.to_thread(self._key)
        if not key or key == UNSET_KEY:
            raise Unauthorized("no API key is configured for the image provider")
        headers = {"x-goog-api-key": key, "x-server-timeout": str(max(1, math.ceil(timeout_s)))}
        try:
            async with self._client.stream(
                "POST", self._url, json=self._request(prompt), headers=headers
            ) as response:
                body = await _read(response)
        except httpx.TransportError as error:
            raise Overloaded(f"the provider broke off: {type(error).__name__}") from error
        except httpx.DecodingError as error:
            raise BadImage("the provider's answer could not be decompressed") from error
        if response.status_code != httpx.codes.OK:
            raise to_error(response.status_code, body, response.headers)
        return to_image(body, self._model)

    def _request(self, prompt: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
        }
        if self._thinking:
            config["thinkingConfig"] = {"thinkingLevel": self._thinking}
        contents = [{"role": "user", "parts": [{"text": prompt}]}]
        return {"contents": contents, "generationConfig": config}


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise BadImage("the provider's answer is too large")
    return bytes(body)


def to_image(body: bytes, model: str) -> RawImage:
    """The picture in the body of a 200; raises the ShotError that its absence means."""
    answer = _object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    if reason := _dict(answer.get("promptFeedback")).get("blockReason"):
        raise Refused(f"the provider blocked the prompt: {_word(reason)}")
    candidates = [_dict(candidate) for candidate in _list(answer.get("candidates"))]
    if (inline := _last_image(candidates)) is not None:
        try:
            data = base64.b64decode(inline["data"], validate=True)
        except (binascii.Error, KeyError, TypeError, ValueError) as error:
            raise BadImage("the picture is not valid base64") from error
        version = answer.get("modelVersion")
        return RawImage(
            data=data,
            mime=inline["mimeType"],
            model=_word(version) if isinstance(version, str) else model,
        )
    reason = next((c["finishReason"] for c in candidates if c.get("finishReason")), "none")
    if reason in REFUSALS:
        raise Refused(f"the provider refused: {_word(reason)}")
    raise NoImage(f"the provider sent no picture: {_word(reason)}")


def _last_image(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Drafts come before the final picture; the only picture may sit in a part marked as thought."""
    parts = list(_image_parts(candidates))
    final = [part for part in parts if not part.get("thought")]
    best = final or parts
    return best[-1]["inlineData"] if best else None


def _image_parts(candidates: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for candidate in candidates:
        for part in map(_dict, _list(_dict(candidate.get("content")).get("parts"))):
            mime = _dict(part.get("inlineData")).get("mimeType")
            if isinstance(mime, str) and mime.startswith("image/"):
                yield part


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """What an answer other than 200 means. Its message may quote the prompt, so it is not kept."""
    problem = _dict((_object(body) or {}).get("error"))
    details = [_dict(detail) for detail in _list(problem.get("details"))]
    said = f"{status} {_word(problem.get('status'))}".strip()
    reasons = {detail.get("reason") for detail in details}
    if status == 429:
        return _throttled(problem, details, headers)
    if status in (401, 403) or reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"}:
        return Unauthorized(f"the provider does not accept the API key: {said}")
    if status == 404:
        return ModelRetired(f"the provider no longer has the model: {said}")
    if status in _RETRYABLE_STATUS or status > 504:
        return Overloaded(f"the provider failed: {said}", retry_after=_retry_after(details, headers))
    if problem.get("status") == "FAILED_PRECONDITION":
        return Unauthorized(f"the provider needs billing or another region: {said}")
    return InvalidPrompt(f"the provider does not accept the request: {said}")


def _throttled(
    problem: dict[str, Any], details: list[dict[str, Any]], headers: Mapping[str, str]
) -> ShotError:
    violations = [_dict(v) for detail in details for v in _list(detail.get("violations"))]
    per_day = any("PerDay" in str(v.get("quotaId")) for v in violations)
    # A quota of zero (no billing) is told apart by nothing but its value or this text.
    zero = any(v.get("quotaValue") == "0" for v in violations) or re.search(
        r"\blimit: 0\b", str(problem.get("message"))
    )
    if per_day or zero:
        return QuotaExhausted("the provider's quota is used up or zero")
    return Throttled("the provider's rate limit", retry_after=_retry_after(details, headers))


def _retry_after(details: list[dict[str, Any]], headers: Mapping[str, str]) -> float | None:
    """Seconds, from RetryInfo (`"48s"`, `"0.5s"`) or, in answers of a proxy, the header."""
    given = [str(d["retryDelay"]).removesuffix("s") for d in details if "retryDelay" in d]
    for text in (*given, headers.get("retry-after", "")):
        try:
            seconds = float(text)
        except ValueError:
            continue
        if 0 <= seconds < math.inf:
            return seconds
    return None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = from_json(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: object) -> str:
    """A name from the provider's vocabulary; anything longer might be a text it quotes."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.:-]{1,64}", value) else "?"
