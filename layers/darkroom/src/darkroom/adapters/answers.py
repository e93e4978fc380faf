"""What the image providers share: asking, reading answers of any shape, and naming their errors.

Answers are never trusted to have the documented shape and never quoted: a message may hold the
prompt, so only names from a provider's vocabulary leave this module.
"""

import asyncio
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

import httpx
import pybase64
from pydantic_core import from_json

from darkroom.domain.errors import (
    BadImage,
    InvalidPrompt,
    ModelRetired,
    Overloaded,
    ShotError,
    Throttled,
    Unauthorized,
)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""Eight times what was ever seen; a body that never ends stops here."""

UNSET_KEY = "unset"
"""What the template stores when no key was given."""

_RETRYABLE_STATUS = frozenset({408, 409, 424, 425})


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def post(
    client: httpx.AsyncClient, url: str, *, body: Mapping[str, Any], headers: Mapping[str, str]
) -> Answer:
    """Send `body` as JSON; raises Overloaded when the connection fails, BadImage without an end."""
    try:
        async with client.stream("POST", url, json=body, headers=headers) as response:
            received = bytearray()
            async for chunk in response.aiter_bytes():
                extend(received, chunk)
    except httpx.TransportError as error:
        raise Overloaded(f"the provider broke off: {type(error).__name__}") from error
    except httpx.DecodingError as error:
        raise BadImage("the provider's answer could not be decompressed") from error
    return Answer(response.status_code, response.headers, bytes(received))


def extend(received: bytearray, chunk: bytes) -> None:
    """Add `chunk` to what was received; raises BadImage over the limit."""
    received += chunk
    if len(received) > MAX_ANSWER_BYTES:
        raise BadImage("the provider's answer is too large")


async def usable(key: Callable[[], str]) -> str:
    """The API key, read in a thread; raises Unauthorized when there is none or it fits no header.

    HTTP libraries quote a header that they cannot send, so such a key must not get that far.
    """
    value = (await asyncio.to_thread(key)).strip()
    if not value or value == UNSET_KEY:
        raise Unauthorized("no API key is configured for the image provider")
    if not re.fullmatch(r"[!-~]+", value):
        raise Unauthorized("the API key of the image provider has characters that no key has")
    return value


def as_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`; None when it holds anything else."""
    try:
        answer = from_json(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def as_dict(value: object) -> dict[str, Any]:
    """`value`, or nothing when it is no object."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """`value`, or nothing when it is no array."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """A name from the provider's vocabulary; anything longer might be a text it quotes."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.:-]{1,64}", value) else "?"


def decoded(data: object) -> bytes:
    """The bytes of a picture in base64; raises BadImage."""
    if not isinstance(data, str) or not data:
        raise BadImage("the answer has no picture where one belongs")
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError as error:
        raise BadImage("the picture is not valid base64") from error


def seconds(text: object) -> float | None:
    """A number of seconds that one can wait; None for any other text."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `retry-after` as a number or a date; names in lower case.

    A date counts from the answer's own `date`, so the clocks need not agree.
    """
    if (milliseconds := seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    if (delay := seconds(given)) is not None:
        return delay
    then, now = _epoch(given), _epoch(headers.get("date", ""))
    return None if then is None or now is None else max(0.0, then - now)


def _epoch(date: str) -> float | None:
    parsed = parsedate_tz(date)
    try:
        return parsed and mktime_tz(parsed)
    except (OverflowError, ValueError):
        return None


def by_status(status: int, said: str, delay: float | None) -> ShotError:
    """What an HTTP status means when the answer says nothing more exact; `said` is from `word`."""
    if status in (401, 403):
        return Unauthorized(f"the provider does not accept the key: {said}")
    if status == 404:
        return ModelRetired(f"the provider no longer has the model: {said}")
    if status == 429:
        return Throttled(f"the provider's rate limit: {said}", retry_after=delay)
    if status >= 500 or status in _RETRYABLE_STATUS:
        return Overloaded(f"the provider failed: {said}", retry_after=delay)
    return InvalidPrompt(f"the provider does not accept the request: {said}")
