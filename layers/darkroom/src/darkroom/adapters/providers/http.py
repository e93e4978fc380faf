"""Send requests to image providers over HTTP, and read the bytes of their responses within limits."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from darkroom.domain.shot_errors import BadImage, Overloaded, ShotError, Unauthorized

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Largest body that is read: eight times the largest that was ever seen."""

UNSET_KEY = "unset"
"""Value that the template stores in the secret when no key was given."""

_SLICE_BYTES = 4096
"""Bytes that are inflated in one step: to 4 MB at most, because deflate makes 1032 bytes of one at most."""

_ERROR_BODY_S = 5.0
"""Seconds that the body of an error may take. Its status is known already, so a cut body costs nothing."""

_COMPRESSIONS = frozenset({"gzip", "x-gzip", "compress", "deflate", "br", "zstd"})
"""Content encodings that change the body. Gateways also write words there that mean nothing."""

_INFLATABLE = frozenset({"gzip", "deflate"})
"""Encodings that are read. Another one, or two at once, would inflate a slice without limit."""

_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
)
"""Errors after which the provider cannot have seen the whole request."""


@dataclass(frozen=True)
class ProviderResponse:
    """A response over HTTP, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """True if the status is a success. The picture is then billed, whatever the body holds."""
        return 200 <= self.status < 300


async def post(
    client: httpx.AsyncClient, url: str, *, body: Mapping[str, Any], headers: Mapping[str, str]
) -> ProviderResponse:
    """Send `body` as JSON and return the response.

    Raises Overloaded when the connection fails; that is billed unless the request cannot have arrived.
    Raises Overloaded or BadImage, both billed, when the body of a success cannot be read.
    """
    headers = {**headers, "accept-encoding": "gzip"}
    try:
        async with client.stream("POST", url, json=body, headers=headers) as response:
            return ProviderResponse(response.status_code, response.headers, await _body(response))
    except httpx.TransportError as error:
        sent = not isinstance(error, _NOT_SENT)
        raise Overloaded(f"the provider broke off: {type(error).__name__}", billed=sent) from error


async def _body(response: httpx.Response) -> bytes:
    """Return the body of a success; raise ShotError, always billed, when it cannot be read.

    Of an error, return as much of the body as arrives within a few seconds, because its status says enough.
    """
    received = bytearray()
    try:
        async with asyncio.timeout(None if response.is_success else _ERROR_BODY_S):
            _check_encoding(response.headers.get("content-encoding", ""))
            if isinstance(response.stream, httpx.AsyncByteStream):
                response.stream = _Sliced(response.stream)
            async for chunk in response.aiter_bytes():
                append(received, chunk)
    except Exception as error:  # a body may break off with any error
        if response.is_success:
            raise unreadable(error) from error
    return bytes(received)


def _check_encoding(header: str) -> None:
    """Raise BadImage for an encoding that cannot be inflated in small steps."""
    compressions = [word for word in re.split(r"[\s,]+", header.lower()) if word in _COMPRESSIONS]
    if len(compressions) > 1 or not _INFLATABLE.issuperset(compressions):
        raise BadImage("the provider's answer has an encoding that was not asked for")


def unreadable(error: Exception) -> ShotError:
    """Return the error of a shot for `error`, which was raised while the body of a success was read."""
    if isinstance(error, ShotError):
        return error
    if isinstance(error, httpx.DecodingError):
        return BadImage("the provider's answer could not be decompressed")
    return Overloaded(f"the provider broke off: {type(error).__name__}", billed=True)


class _Sliced(httpx.AsyncByteStream):
    """A raw body in small slices, so that its size is checked while it is inflated."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for start in range(0, len(chunk), _SLICE_BYTES):
                yield chunk[start : start + _SLICE_BYTES]

    async def aclose(self) -> None:
        await self._stream.aclose()


def append(received: bytearray, chunk: bytes) -> None:
    """Append `chunk` to `received`; raise BadImage above MAX_RESPONSE_BYTES."""
    received += chunk
    if len(received) > MAX_RESPONSE_BYTES:
        raise BadImage("the provider's answer is too large")


async def usable_key(key: Callable[[], str]) -> str:
    """Return the API key, read in a thread.

    Raises Unauthorized when there is none or it fits no header, and Overloaded, unbilled, when it cannot be
    read now. HTTP libraries quote a header that they cannot send, so such a key must not reach them.
    """
    try:
        value = (await asyncio.to_thread(key)).strip()
    except ValueError as error:
        raise Unauthorized(str(error)) from error
    except Exception as error:  # a secret's store may raise anything; nothing was sent
        raise Overloaded(f"the API key cannot be read now: {type(error).__name__}") from error
    if not value or value == UNSET_KEY:
        raise Unauthorized("no API key is configured for the image provider")
    if not re.fullmatch(r"[!-~]+", value):
        raise Unauthorized("the API key of the image provider has characters that no key has")
    return value
