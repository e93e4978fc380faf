"""Google's Gemini image models over `generateContent`.

Shapes and error bodies: ai.google.dev/gemini-api/docs, and recorded answers in tests/bodies. An
answer holds 2 to 4 MB, most of it a thought signature; only the picture is kept and nothing logged.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, override

import httpx

from darkroom.adapters.providers import faults, http
from darkroom.adapters.providers.http import as_dict, as_list, as_object, word
from darkroom.domain.errors import BadImage, NoImage, Refused, ShotError
from darkroom.ports import ImageProvider, RawImage

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

THINKING = {"auto": "minimal", "none": ""}
"""Settings that are no level, and the level that is sent for them; an empty one is not sent."""

_THINKS = ("gemini-nano-banana-2.1", "gemini-3.1-flash-image", "gemini-3.1-flash-lite-image")
"""How the names of models begin that are documented to take a level; others answer 400 to any."""

_UNCHARGED = re.compile(r"\bnot be charged\b", re.IGNORECASE)
"""Words with which an answer without a picture says that it is free: IMAGE_OTHER is documented to do so."""

_PICTURES = ("image/", "application/octet-stream")
"""How media types begin that a picture may have; its bytes say what it is."""

_UNSET = ("FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")


class Gemini(ImageProvider):
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
        self._thinking = thinking_level(thinking, model)
        self._key = key

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        headers = {
            "x-goog-api-key": await http.usable(self._key),
            "x-server-timeout": str(max(1, math.ceil(timeout_s))),
        }
        answer = await http.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if not answer.is_success:
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


def thinking_level(setting: str, model: str) -> str:
    """Return the level to send to `model`; empty to send none."""
    if setting == "auto" and not model.startswith(_THINKS):
        return ""
    return THINKING.get(setting, setting)


def to_image(body: bytes, model: str) -> RawImage:
    """Return the picture in the body of a success; raises the ShotError that its absence means.

    That is billed, unless the answer itself says otherwise.
    """
    answer = as_object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    candidates = [as_dict(candidate) for candidate in as_list(answer.get("candidates"))]
    if (inline := _last_image(candidates)) is not None:
        version = word(answer.get("model_version"))
        return RawImage(
            data=http.decoded(inline.get("data")),
            mime=str(inline.get("mime_type", "")),
            model=model if version == "?" else version,
        )
    if blocked := _reason(as_dict(answer.get("prompt_feedback")).get("block_reason")):
        raise Refused(f"the provider blocked the prompt: {blocked}", billed=True)
    finished = next(filter(None, (_reason(c.get("finish_reason")) for c in candidates)), "none")
    billed = not any(_UNCHARGED.search(str(c.get("finish_message"))) for c in candidates)
    if finished in REFUSALS:
        raise Refused(f"the provider refused: {finished}", billed=billed)
    raise faults.inside(answer) or NoImage(f"the provider sent no picture: {finished}", billed=billed)


def _reason(value: object) -> str:
    """The name of a reason; empty when none was given."""
    return word(value) if value and value not in _UNSET else ""


def _last_image(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Drafts come before the final picture; the only picture may sit in a part marked as thought."""
    parts = list(_image_parts(candidates))
    final = [part for part in parts if not part.get("thought")]
    best = final or parts
    return best[-1]["inline_data"] if best else None


def _image_parts(candidates: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for candidate in candidates:
        for part in map(as_dict, as_list(as_dict(candidate.get("content")).get("parts"))):
            inline = as_dict(part.get("inline_data"))
            if inline and str(inline.get("mime_type") or "image/").lower().startswith(_PICTURES):
                yield part


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """Return what an answer other than a success means."""
    return faults.to_error(status, faults.read(body), headers)
