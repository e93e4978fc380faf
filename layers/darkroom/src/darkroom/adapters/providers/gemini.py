"""Request pictures from Google's Gemini image models over `generateContent`.

Shapes and error bodies: ai.google.dev/gemini-api/docs, and recorded bodies in testing/bodies. A response
holds 2 to 4 MB, most of it a thought signature. Only the picture is kept, and nothing is logged.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, override

import httpx

from darkroom.adapters.providers import faults, http
from darkroom.adapters.providers.json_body import as_dict, as_list, as_object, decoded, word
from darkroom.domain.shot_errors import BadImage, NoImage, Refused
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
"""Finish reasons after which another request with the same prompt is refused again, or most likely is.

IMAGE_SAFETY and the recitations judge one sampled picture. Another one costs as much and seldom passes.
"""

THINKING = {"auto": "minimal", "none": ""}
"""Values of the setting that are no level, and the level that is sent for each. An empty one is not sent."""

_THINKS = ("gemini-nano-banana-2.1", "gemini-3.1-flash-image", "gemini-3.1-flash-lite-image")
"""Prefixes of the models that are documented to take a level. Other models respond 400 to any level."""

_UNCHARGED = re.compile(r"\bnot be charged\b", re.IGNORECASE)
"""Words that say that a response without a picture is free. IMAGE_OTHER is documented to send them."""

_PICTURES = ("image/", "application/octet-stream")
"""Prefixes of the media types that a picture may have. Its bytes say what it is."""

_UNSET = ("FINISH_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED")
"""Reasons that mean that there is none."""


class Gemini(ImageProvider):
    """Request pictures from one of Google's models."""

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
            "x-goog-api-key": await http.usable_key(self._key),
            "x-server-timeout": str(max(1, math.ceil(timeout_s))),
        }
        response = await http.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if not response.is_success:
            raise faults.to_error(response.status, response.body, response.headers)
        return to_image(response.body, self._model)

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
    """Return the picture in the body of a success; raise the ShotError that its absence means.

    The request is billed unless the response says otherwise.
    """
    found = as_object(body)
    if found is None:
        raise BadImage("the provider's answer is not JSON")
    candidates = [as_dict(candidate) for candidate in as_list(found.get("candidates"))]
    if (inline := _last_image(candidates)) is not None:
        version = word(found.get("model_version"))
        return RawImage(
            data=decoded(inline.get("data")),
            model=model if version == "?" else version,
        )
    if blocked := _reason(as_dict(found.get("prompt_feedback")).get("block_reason")):
        raise Refused(f"the provider blocked the prompt: {blocked}", billed=True)
    reasons = [_reason(candidate.get("finish_reason")) for candidate in candidates]
    finished = next(filter(None, reasons), "none")
    messages = [str(candidate.get("finish_message")) for candidate in candidates]
    billed = not any(map(_UNCHARGED.search, messages))
    if finished in REFUSALS:
        raise Refused(f"the provider refused: {finished}", billed=billed)
    raise faults.inside(found) or NoImage(f"the provider sent no picture: {finished}", billed=billed)


def _reason(value: object) -> str:
    """Return the name of a reason; empty when none was given."""
    return word(value) if value and value not in _UNSET else ""


def _last_image(candidates: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the last picture that is not marked as a thought, or else the last one; None without any."""
    parts = list(_image_parts(candidates))
    final = [part for part in parts if not part.get("thought")]
    best = final or parts
    return best[-1]["inline_data"] if best else None


def _image_parts(candidates: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the parts that hold a picture."""
    for candidate in candidates:
        content = as_dict(candidate.get("content"))
        for part in map(as_dict, as_list(content.get("parts"))):
            inline = as_dict(part.get("inline_data"))
            if inline and str(inline.get("mime_type") or "image/").lower().startswith(_PICTURES):
                yield part
