"""OpenAI's image models over `images/generations`.

Shapes and error bodies: platform.openai.com/docs/api-reference/images, and recorded answers in
tests/bodies. `response_format` is an error for these models: the picture is always base64.
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from darkroom.adapters import answers
from darkroom.adapters.answers import as_dict, as_list, as_object, word
from darkroom.domain.errors import (
    BadImage,
    ModelRetired,
    NoImage,
    QuotaExhausted,
    Refused,
    ShotError,
    Unauthorized,
)
from darkroom.ports import RawImage

_BY_CODE: Mapping[str, tuple[type[ShotError], str]] = {
    "moderation_blocked": (Refused, "the provider refused"),
    "content_policy_violation": (Refused, "the provider refused"),
    "insufficient_quota": (QuotaExhausted, "the provider's quota is used up"),
    "billing_hard_limit_reached": (QuotaExhausted, "the provider's quota is used up"),
    "model_not_found": (ModelRetired, "the provider no longer has the model"),
    "invalid_api_key": (Unauthorized, "the provider does not accept the key"),
}
"""Codes that say more than their status. Not by `type`: that of a refusal is also that of a bad file."""

_MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


class OpenAI:
    """See ImageProvider."""

    def __init__(
        self, client: httpx.AsyncClient, *, base_url: str, model: str, quality: str, key: Callable[[], str]
    ) -> None:
        self._client = client
        self._url = f"{base_url}/v1/images/generations"
        self._model = model
        self._quality = quality
        self._key = key

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:  # noqa: ARG002 - it takes none
        """See ImageProvider."""
        headers = {"authorization": f"Bearer {await answers.usable(self._key)}"}
        answer = await answers.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if answer.status != httpx.codes.OK:
            raise to_error(answer.status, answer.body, answer.headers)
        return to_image(answer.body, self._model)

    def _request(self, prompt: str) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": prompt,
            "n": 1,
            "size": "1024x1024",
            "quality": self._quality,
            "output_format": "jpeg",
            "output_compression": 90,
            "moderation": "auto",
        }


def to_image(body: bytes, model: str) -> RawImage:
    """The picture in the body of a 200; raises the ShotError that its absence means."""
    answer = as_object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    items = map(as_dict, as_list(answer.get("data")))
    pictures = [item["b64_json"] for item in items if item.get("b64_json")]
    if not pictures:
        raise NoImage("the provider sent no picture")
    mime = _MIMES.get(word(answer.get("output_format")), "image/jpeg")
    return RawImage(data=answers.decoded(pictures[-1]), mime=mime, model=model)


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """What an answer other than 200 means. Its message may quote the prompt, so it is not kept."""
    code = word(as_dict((as_object(body) or {}).get("error")).get("code"))
    if 400 <= status < 500 and code in _BY_CODE:
        error, meaning = _BY_CODE[code]
        return error(f"{meaning}: {status} {code}")
    return answers.by_status(status, f"{status} {code}", answers.retry_after(headers))
