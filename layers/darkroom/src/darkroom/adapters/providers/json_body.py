"""Read the JSON bodies of image providers, whatever their shape.

Bodies are never trusted to have the documented shape, and never quoted: a message may hold the prompt. Only
names from a provider's vocabulary, as `word` returns them, may appear in an error.
"""

import json
import re
from typing import Any
from urllib.parse import unquote

import pybase64
from pydantic_core import from_json

from darkroom.domain.shot_errors import BadImage

_AROUND = "\ufeff\0 \t\r\n"
"""Characters that gateways write around JSON."""

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_DATA_URL = re.compile(r"[\s\ufeff]*data:[^,]{0,200};base64,", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:\s|\ufeff|\\[rn])+")
"""White space between base64 characters, also when it was escaped once too often."""

_FROM_URL_ALPHABET = str.maketrans("-_", "+/")

_reader = json.JSONDecoder(strict=False)


def text(body: bytes) -> str:
    """Return `body` as text in the encoding that it seems to have. Bytes that are no text are replaced."""
    return body.decode(json.detect_encoding(body), "replace")


def parsed(body: bytes) -> Any:
    """Return the JSON value in `body`, its keys in snake_case; None when it holds no JSON.

    Gateways write byte-order marks, other encodings, raw line breaks, halves of surrogate pairs, and text
    after the end of an object. A member that is null is left out.
    """
    try:
        try:
            value = from_json(body)
        except ValueError:
            value = _first_value(text(body).strip(_AROUND))
        return _snake_case(value)
    except (ValueError, RecursionError):
        return None


def _first_value(text: str) -> Any:
    """Return the object or array that `text` begins with, or else the one value that it is."""
    return _reader.raw_decode(text)[0] if text.startswith(("{", "[")) else _reader.decode(text)


def _snake_case(value: Any) -> Any:
    if isinstance(value, dict):
        known = ((key, item) for key, item in value.items() if item is not None)
        return {_CAPITAL.sub(r"_\1", key).lower(): _snake_case(item) for key, item in known}
    return [_snake_case(item) for item in value] if isinstance(value, list) else value


def as_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object in `body`, or the first one in its array; None when there is none."""
    value = parsed(body)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else None


def as_dict(value: object) -> dict[str, Any]:
    """Return `value`, or an empty object when it is no object."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return `value`, or an empty array when it is no array."""
    return value if isinstance(value, list) else []


def word(value: object) -> str:
    """Return a name from the provider's vocabulary; `?` for anything else, which might be a quoted text."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "?"


def decoded(data: object) -> bytes:
    """Return the bytes of a picture in base64; raises BadImage.

    Line breaks, the alphabet for URLs and its escapes, missing padding, a byte-order mark and a `data:`
    prefix are accepted: none of them can be mistaken for anything else.
    """
    if not isinstance(data, str) or not data:
        raise BadImage("the answer has no picture where one belongs")
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError:
        pass  # not in the plain form
    prefix = _DATA_URL.match(data)
    plain = _BETWEEN.sub("", unquote(data[prefix.end() :] if prefix else data))
    plain = plain.translate(_FROM_URL_ALPHABET).rstrip("=")
    if not plain:
        raise BadImage("the answer has no picture where one belongs")
    try:
        return pybase64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        raise BadImage("the picture is not valid base64") from error
