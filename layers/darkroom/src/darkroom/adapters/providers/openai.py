"""OpenAI's image models over `images/generations`.

Shapes and error bodies: platform.openai.com/docs/api-reference/images, and recorded answers in
tests/bodies. `response_format` is an error for these models: the picture is always base64.
"""

from collections.abc import Callable, Mapping
from typing import Any, override

import httpx

from darkroom.adapters.providers import faults, http
from darkroom.adapters.providers.http import as_dict, as_list, as_object, word
from darkroom.domain.errors import BadImage, NoImage, ShotError
from darkroom.ports import ImageProvider, RawImage

_MIMES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


class OpenAI(ImageProvider):
    """See ImageProvider."""

    def __init__(
        self, client: httpx.AsyncClient, *, base_url: str, model: str, quality: str, key: Callable[[], str]
    ) -> None:
        self._client = client
        self._url = f"{base_url}/v1/images/generations"
        self._model = model
        self._quality = quality
        self._key = key

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        headers = {"authorization": f"Bearer {await http.usable(self._key)}"}
        answer = await http.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if not answer.is_success:
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
    """Return the picture in the body of a success; raises the ShotError that its absence means."""
    answer = as_object(body)
    if answer is None:
        raise BadImage("the provider's answer is not JSON")
    pictures = list(filter(None, map(_picture, map(as_dict, as_list(answer.get("data"))))))
    if not pictures:
        raise faults.inside(answer) or NoImage("the provider sent no picture")
    mime = _MIMES.get(word(answer.get("output_format")), "image/jpeg")
    return RawImage(data=http.decoded(pictures[-1]), mime=mime, model=model)


def _picture(item: dict[str, Any]) -> object:
    """Return the picture in base64. Some gateways put it into the address, where nothing else is read."""
    url = item.get("url")
    return item.get("b64_json") or (url if str(url).lower().startswith("data:image/") else None)


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """Return what an answer other than a success means."""
    return faults.to_error(status, faults.read(body), headers)
