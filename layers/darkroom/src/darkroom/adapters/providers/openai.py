"""Request pictures from OpenAI's image models over `images/generations`.

Shapes and error bodies: platform.openai.com/docs/api-reference/images, and recorded bodies in
testing/bodies. `response_format` is an error for these models: the picture is always base64.
"""

from collections.abc import Callable
from typing import Any, override

import httpx

from darkroom.adapters.providers import faults, http
from darkroom.adapters.providers.json_body import as_dict, as_list, as_object, decoded
from darkroom.domain.shot_errors import BadImage, NoImage
from darkroom.ports import ImageProvider, RawImage


class OpenAI(ImageProvider):
    """Request pictures from one of OpenAI's models."""

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
        headers = {"authorization": f"Bearer {await http.usable_key(self._key)}"}
        response = await http.post(self._client, self._url, body=self._request(prompt), headers=headers)
        if not response.is_success:
            raise faults.to_error(response.status, response.body, response.headers)
        return to_image(response.body, self._model)

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
    found = as_object(body)
    if found is None:
        raise BadImage("the provider's answer is not JSON")
    pictures = [picture for item in as_list(found.get("data")) if (picture := _picture(as_dict(item)))]
    if not pictures:
        raise faults.inside(found) or NoImage("the provider sent no picture")
    return RawImage(data=decoded(pictures[-1]), model=model)


def _picture(item: dict[str, Any]) -> object:
    """Return the picture in base64. Some gateways put it into `url`; a real address there is not read."""
    url = item.get("url")
    return item.get("b64_json") or (url if str(url).lower().startswith("data:image/") else None)
