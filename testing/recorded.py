"""Responses of image providers: those in testing/bodies, and others sent over httpx.MockTransport."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from darkroom.adapters import http_client
from darkroom.domain.shot_errors import ShotError
from darkroom.ports import ImageProvider, RawImage

BODIES = Path(__file__).parent / "bodies"
PROMPT = "a brass key"
KEY = "sk-the-key"
TRICKY_PROMPT = (
    "a suspended bridge, its billing house closed, a budget of leaked credits, all thinking disabled, "
    "operation not allowed"
)
"""A prompt with words that errors of the account have."""


def body_of(name: str) -> bytes:
    """Return a recorded body, where each `<base64 N chars>` is replaced by so many characters."""
    text = (BODIES / name).read_text()
    return re.sub(r"<base64 (\d+) chars>", lambda m: "QUJD" * (int(m[1]) // 4), text).encode()


def error_body(status: int, sentence: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an error as Google sends it; `more` are further members of its error."""
    return {"error": {"code": status, "message": sentence, **more}}


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def check_meaning(found: ShotError, sentence: str, error: type[ShotError], words: str) -> None:
    """Check class and words of `found`, and that it is not billed and quotes neither sentence nor prompt."""
    assert type(found) is error
    assert not found.billed
    assert words in str(found)
    assert not sentence or sentence not in str(found)
    assert TRICKY_PROMPT not in str(found)


type Server = Callable[[httpx.Request], httpx.Response]
type Make = Callable[[httpx.AsyncClient], ImageProvider]


def server_returning(status: int, body: bytes, headers: dict[str, str] | None = None) -> Server:
    """Return a server that sends the same response to every request."""
    return lambda request: httpx.Response(status, content=body, headers=headers)


def failure(server: Server, provider: Make) -> ShotError:
    """Return what the provider raises for the server's response."""
    with pytest.raises(ShotError) as raised:
        generate(server, provider)
    return raised.value


def generate(server: Server, provider: Make) -> RawImage:
    """Return what the provider makes of the server's response to one request."""

    async def generate_one() -> RawImage:
        async with http_client.client(1, httpx.MockTransport(server)) as client:
            return await provider(client).generate(PROMPT, timeout_s=41.2)

    return asyncio.run(generate_one())
