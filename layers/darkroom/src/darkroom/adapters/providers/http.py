"""What the image providers share: asking, reading answers of any shape, and naming their errors.

Answers are never trusted to have the documented shape and never quoted: a message may hold the
prompt, so only names from a provider's vocabulary leave this module.
"""

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pybase64
from pydantic_core import from_json

from darkroom.domain.errors import (
    AccountUnusable,
    BadImage,
    InvalidPrompt,
    Misconfigured,
    ModelRetired,
    Overloaded,
    QuotaExhausted,
    ShotError,
    Throttled,
    Unauthorized,
)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Eight times what was ever seen; a body that never ends stops here."""

UNSET_KEY = "unset"
"""What the template stores when no key was given."""

_SLICE_BYTES = 4096
"""Bytes that are inflated in one step: to 4 MB at most, since deflate makes 1032 of one."""

_ERROR_BODY_S = 5.0
"""Seconds that an error's body may take: its status is known already, and that costs nothing."""

_COMPRESSIONS = frozenset({"gzip", "x-gzip", "compress", "deflate", "br", "zstd"})
"""Content encodings that change the body. Gateways write other words there, which mean nothing."""

_INFLATABLE = frozenset({"gzip", "deflate"})
"""Those that are read. Others, and two of them at once, would inflate a slice without bound."""

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

LONGEST_DELAY_S = 86_400.0
"""A longer delay counts as this one: a proxy's slip may be a number that no clock can add."""


type Meaning = tuple[type[ShotError], str]
"""The error, and what an operator reads of it; the status and a name follow."""

RATE: Meaning = (Throttled, "the provider's rate limit")
BUSY: Meaning = (Overloaded, "the provider failed")
INVALID: Meaning = (InvalidPrompt, "the provider does not accept the request")
KEY: Meaning = (Unauthorized, "the provider does not accept the key")
RETIRED: Meaning = (ModelRetired, "the provider no longer has the model, or not for this account")
ADDRESS: Meaning = (Misconfigured, "the provider is not reached at this address or in this way")
CREDITS: Meaning = (QuotaExhausted, "the credits of the provider's account are used up")
REGION: Meaning = (AccountUnusable, "the provider does not serve this region")

_BY_STATUS: Mapping[int, Meaning] = {
    **dict.fromkeys((*range(300, 400), 405, 406, 407, 411, 415, 426, 431, 501, 505), ADDRESS),
    **dict.fromkeys((408, 409, 421, 423, 424, 425, 444, 449, 460, 499), BUSY),
    401: KEY,
    402: CREDITS,
    403: KEY,
    404: RETIRED,
    410: RETIRED,
    429: RATE,
    451: REGION,
}
"""Those of other errors below 500 are the request's fault, and from 500 on the provider's."""


@dataclass(frozen=True)
class ProviderResponse:
    """What came back over HTTP, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """True when the status promises a picture, which is billed from then on."""
        return 200 <= self.status < 300


async def post(
    client: httpx.AsyncClient, url: str, *, body: Mapping[str, Any], headers: Mapping[str, str]
) -> ProviderResponse:
    """Send `body` as JSON and return the answer.

    Raises Overloaded when the connection fails, which is billed unless the request cannot have arrived,
    and Overloaded or BadImage, both billed, when a success has a body that cannot be read.
    """
    headers = {**headers, "accept-encoding": "gzip"}
    try:
        async with client.stream("POST", url, json=body, headers=headers) as response:
            return ProviderResponse(response.status_code, response.headers, await _body(response))
    except httpx.TransportError as error:
        sent = not isinstance(error, _NOT_SENT)
        raise Overloaded(f"the provider broke off: {type(error).__name__}", billed=sent) from error


async def _body(response: httpx.Response) -> bytes:
    """Return the body of a success; raises ShotError, always billed, when that is hindered.

    The status of an error says enough: as much of its body is returned as can be read at once.
    """
    received = bytearray()
    try:
        async with asyncio.timeout(None if response.is_success else _ERROR_BODY_S):
            _check_encoding(response.headers.get("content-encoding", ""))
            if isinstance(response.stream, httpx.AsyncByteStream):
                response.stream = _Sliced(response.stream)
            async for chunk in response.aiter_bytes():
                extend(received, chunk)
    except Exception as error:  # a body may break off with anything
        if response.is_success:
            raise hindrance(error) from error
    return bytes(received)


def _check_encoding(header: str) -> None:
    compressions = [word for word in re.split(r"[\s,]+", header.lower()) if word in _COMPRESSIONS]
    if len(compressions) > 1 or not _INFLATABLE.issuperset(compressions):
        raise BadImage("the provider's answer has an encoding that was not asked for")


def hindrance(error: Exception) -> ShotError:
    """Return what it means that the body of a success could not be read."""
    if isinstance(error, ShotError):
        return error
    if isinstance(error, httpx.DecodingError):
        return BadImage("the provider's answer could not be decompressed")
    return Overloaded(f"the provider broke off: {type(error).__name__}", billed=True)


class _Sliced(httpx.AsyncByteStream):
    """A raw body in small slices, so that it is measured while it is inflated."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            for start in range(0, len(chunk), _SLICE_BYTES):
                yield chunk[start : start + _SLICE_BYTES]

    async def aclose(self) -> None:
        await self._stream.aclose()


def extend(received: bytearray, chunk: bytes) -> None:
    """Add `chunk` to what was received; raises BadImage over the limit."""
    received += chunk
    if len(received) > MAX_ANSWER_BYTES:
        raise BadImage("the provider's answer is too large")


async def usable(key: Callable[[], str]) -> str:
    """Return the API key, read in a thread.

    Raises Unauthorized when there is none or it fits no header, and Overloaded, unbilled, when it cannot be
    read now. HTTP libraries quote a header that they cannot send, so such a key must not get that far.
    """
    try:
        value = (await asyncio.to_thread(key)).strip()
    except ValueError as error:
        raise Unauthorized(str(error)) from error
    except Exception as error:  # whatever keeps it raises; nothing was sent
        raise Overloaded(f"the API key cannot be read now: {type(error).__name__}") from error
    if not value or value == UNSET_KEY:
        raise Unauthorized("no API key is configured for the image provider")
    if not re.fullmatch(r"[!-~]+", value):
        raise Unauthorized("the API key of the image provider has characters that no key has")
    return value


def text(body: bytes) -> str:
    """Return `body` as text in the encoding that it seems to have; what is no text in it is replaced."""
    return body.decode(json.detect_encoding(body), "replace")


def parsed(body: bytes) -> Any:
    """Return the JSON value in `body`, its keys in snake_case; None when it holds no JSON.

    Gateways write byte-order marks, other encodings, raw line breaks and halves of surrogate pairs, and
    more behind the end of an object. A member that is null is left out.
    """
    try:
        try:
            value = from_json(body)
        except ValueError:
            value = _first_value(text(body).strip(_AROUND))
        return _snake_case(value)
    except (ValueError, RecursionError):
        return None


_AROUND = "\ufeff\0 \t\r\n"
_READER = json.JSONDecoder(strict=False)


def _first_value(said: str) -> Any:
    """Return the object or array that `said` begins with, or else the one value that it is."""
    return _READER.raw_decode(said)[0] if said.startswith(("{", "[")) else _READER.decode(said)


def _snake_case(value: Any) -> Any:
    if isinstance(value, dict):
        known = ((key, item) for key, item in value.items() if item is not None)
        return {_CAPITAL.sub(r"_\1", key).lower(): _snake_case(item) for key, item in known}
    return [_snake_case(item) for item in value] if isinstance(value, list) else value


_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def as_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `body`, also when an array holds it; None when there is none."""
    value = parsed(body)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else None


def as_dict(value: object) -> dict[str, Any]:
    """`value`, or nothing when it is no object."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """`value`, or nothing when it is no array."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """A name from the provider's vocabulary; anything longer might be a text it quotes."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "?"


_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)


def decoded(data: object) -> bytes:
    """Return the bytes of a picture in base64; raises BadImage.

    Line breaks, the alphabet for URLs and its escapes, missing padding, a byte-order mark and a `data:`
    prefix are no matter: none of them can be mistaken for anything else.
    """
    if not isinstance(data, str) or not data:
        raise BadImage("the answer has no picture where one belongs")
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError:
        pass  # not in the plain form
    before = _DATA_URL.match(data)
    plain = _BETWEEN.sub("", unquote(data[before.end() :] if before else data))
    plain = plain.translate(_FROM_URL_ALPHABET).rstrip("=")
    if not plain:
        raise BadImage("the answer has no picture where one belongs")
    try:
        return pybase64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        raise BadImage("the picture is not valid base64") from error


_DATA_URL = re.compile(r"[\s\ufeff]*data:[^,]{0,200};base64,", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:\s|\ufeff|\\[rn])+")
"""White space, also escaped once too often."""
_FROM_URL_ALPHABET = str.maketrans("-_", "+/")


def seconds(text: object) -> float | None:
    """A number of seconds that one can wait, `LONGEST_DELAY_S` at most; None for any other text."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return min(value, LONGEST_DELAY_S) if 0 <= value < math.inf else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `retry-after` as a number or a date; names in lower case.

    A date counts from the answer's own `date`, so the clocks need not agree.
    """
    if (milliseconds := seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    if (delay := seconds(given)) is not None:
        return delay
    then, now = _moment(given), _moment(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max(0.0, (then - now).total_seconds()), LONGEST_DELAY_S)


def _moment(date: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(date)
    except (OverflowError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def by_status(status: int, said: str, delay: float | None) -> ShotError:
    """Return what an HTTP status means when the answer says nothing more exact; `said` is from `word`."""
    error, meaning = _BY_STATUS.get(status, BUSY if status >= 500 else INVALID)
    return error(f"{meaning}: {said}", retry_after=delay)
