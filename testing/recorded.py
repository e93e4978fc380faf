"""Answers of image providers: those in tests/bodies, and others given over httpx.MockTransport."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from darkroom.adapters import http_client
from darkroom.domain.errors import ShotError
from darkroom.ports import ImageProvider, RawImage

BODIES = Path(__file__).parent / "bodies"
PROMPT = "a brass key"
KEY = "sk-the-key"


def body_of(name: str) -> bytes:
    """A recorded body; what was elided as `<base64 N chars>` has its length again."""
    text = (BODIES / name).read_text()
    return re.sub(r"<base64 (\d+) chars>", lambda m: "QUJD" * (int(m[1]) // 4), text).encode()


type Server = Callable[[httpx.Request], httpx.Response]
type Make = Callable[[httpx.AsyncClient], ImageProvider]


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Server:
    """A server that answers everything alike."""
    return lambda request: httpx.Response(status, content=body, headers=headers)


def failure(server: Server, provider: Make) -> ShotError:
    """What the provider raises for the server's answer."""
    with pytest.raises(ShotError) as raised:
        generate(server, provider)
    return raised.value


def generate(server: Server, provider: Make) -> RawImage:
    """What the provider makes of the server's answer to one request."""

    async def ask() -> RawImage:
        async with http_client.client(1, httpx.MockTransport(server)) as client:
            return await provider(client).generate(PROMPT, timeout_s=41.2)

    return asyncio.run(ask())
