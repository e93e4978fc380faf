"""Google's Gemini image models over `generateContent`.

Shapes and error bodies: ai.google.dev/gemini-api/docs, and recorded answers in tests/bodies. An
answer holds 2 to 4 MB, most of it a thought signature; only the picture is kept and nothing logged.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from darkroom.adapters import answers
from darkroom.adapters.answers import as_dict, as_list, as_object, word
from darkroom.domain.errors import BadImage, NoImage, QuotaExhausted, Refused, ShotError, Unauthorized
from darkroom.ports import RawImage

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
"""Finish reasons after which the same prompt gets the same answer, or most likely does: IMAGE_SAFETY
and the recitations judge one sampled picture, yet another one costs as much and seldom passes."""

_UNSET = ("FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")
_BAD_KEY = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})


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
        headers = {
            "x-goog-api-key": await answers.usable(self._key),
            "x-server-timeout": str(max(1, math.ceil(timeout_s))),
        }
        answer = await answers.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if answer.status != httpx.codes.OK:
            raise to_error(answer.status, answer.body, answer.headers)
        return to_image(answer.body, self._model)

    def _request(self, prompt: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
        }
        if self._thinking:
            config["thinkingConfig"] = {"thinkingLevel": self._thinking}
        contents = [{"role": "user", "parts": [{"text": prompt}]}]
        return {"contents": contents, "generationConfig": config}


def to_image(body: bytes, model: str) -> RawImage:
    """The picture in the body of a 200; raises the ShotError that its absence means."""
    answer = as_object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    if blocked := _reason(as_dict(answer.get("promptFeedback")).get("blockReason")):
        raise Refused(f"the provider blocked the prompt: {blocked}")
    candidates = [as_dict(candidate) for candidate in as_list(answer.get("candidates"))]
    if (inline := _last_image(candidates)) is not None:
        version = word(answer.get("modelVersion"))
        return RawImage(
            data=answers.decoded(inline.get("data")),
            mime=inline["mimeType"],
            model=model if version == "?" else version,
        )
    finished = next(filter(None, (_reason(c.get("finishReason")) for c in candidates)), "none")
    if finished in REFUSALS:
        raise Refused(f"the provider refused: {finished}")
    raise NoImage(f"the provider sent no picture: {finished}")


def _reason(value: object) -> str:
    """The name of a reason; empty when none was given."""
    return word(value) if value and value not in _UNSET else ""


def _last_image(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Drafts come before the final picture; the only picture may sit in a part marked as thought."""
    parts = list(_image_parts(candidates))
    final = [part for part in parts if not part.get("thought")]
    best = final or parts
    return best[-1]["inlineData"] if best else None


def _image_parts(candidates: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for candidate in candidates:
        for part in map(as_dict, as_list(as_dict(candidate.get("content")).get("parts"))):
            mime = as_dict(part.get("inlineData")).get("mimeType")
            if isinstance(mime, str) and mime.startswith("image/"):
                yield part


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """What an answer other than 200 means. Its message may quote the prompt, so it is not kept."""
    problem = as_dict((as_object(body) or {}).get("error"))
    details = [as_dict(detail) for detail in as_list(problem.get("details"))]
    said = f"{status} {word(problem.get('status'))}"
    if status == 429 and _is_used_up(problem, details):
        return QuotaExhausted("the provider's quota is used up or zero")
    if any(word(detail.get("reason")) in _BAD_KEY for detail in details):
        return Unauthorized(f"the provider does not accept the key: {said}")
    if status == 400 and problem.get("status") == "FAILED_PRECONDITION":
        return Unauthorized(f"the provider needs billing or another region: {said}")
    return answers.by_status(status, said, _delay(details, headers))


def _is_used_up(problem: dict[str, Any], details: list[dict[str, Any]]) -> bool:
    violations = [as_dict(v) for detail in details for v in as_list(detail.get("violations"))]
    per_day = any("PerDay" in str(v.get("quotaId")) for v in violations)
    # A quota of zero (no billing) is told apart by nothing but its value or this text.
    zero = any(str(v.get("quotaValue")) == "0" for v in violations)
    return per_day or zero or bool(re.search(r"\blimit: 0\b", str(problem.get("message"))))


def _delay(details: list[dict[str, Any]], headers: Mapping[str, str]) -> float | None:
    """Seconds, from RetryInfo (`"48s"`, `"0.5s"`) or, in answers of a proxy, the header."""
    given = (answers.seconds(str(d.get("retryDelay")).removesuffix("s")) for d in details)
    return next((delay for delay in given if delay is not None), answers.retry_after(headers))
