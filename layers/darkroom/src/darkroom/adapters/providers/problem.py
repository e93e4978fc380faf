"""Read what a provider's error body says, in whatever shape it came.

Providers name their errors, and so do the gateways before them. Names, texts and details may be anywhere in
the body: in an object, an array that holds one, a bare text, or JSON that is quoted in a text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from darkroom.adapters.providers import json_body
from darkroom.adapters.providers.json_body import word

_NAMES = ("error_code", "code", "reason", "status", "type", "error_type", "error")
"""Keys whose values are names."""

_TEXTS = ("message", "error_message", "error", "errors", "detail", "error_description", "description")
"""Keys whose values are sentences."""

_MAX_OBJECTS = 200
_MAX_TEXT = 8_000


@dataclass(frozen=True)
class Problem:
    """The content of an error's body."""

    objects: tuple[dict[str, Any], ...]
    """All objects in it, outer ones first."""
    names: tuple[str, ...]
    """All names of the error in it."""
    message: str
    """Its sentences. They may quote the prompt or the key, so they are never shown."""

    @property
    def status(self) -> int | None:
        """The status that the body gives. A gateway may have sent another one of its own."""
        codes = (str(found.get(key)) for found in self.objects for key in ("code", "status"))
        return next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), None)

    @property
    def name(self) -> str:
        """The first name; `?` when there is none."""
        return self.names[0] if self.names else "?"

    @property
    def field(self) -> str:
        """The field of the request that is wrong; empty when there is none, or it may be the prompt."""
        names = [word(found.get(key)) for found in self.objects for key in ("param", "field")]
        named = [name for name in names if name != "?"]
        return named[0] if named and not re.search(r"prompt|contents|input|text", named[0]) else ""

    @property
    def is_quota_used_up(self) -> bool:
        """True if a daily quota, or a quota of zero, is meant. Only its name, value or sentence says so."""
        quotas = self._values("quota_id", "quota_metric", "quota_limit")
        is_daily = any(re.search(r"per_?day", quota, re.IGNORECASE) for quota in quotas)
        is_zero = "0" in self._values("quota_value", "quota_limit_value")
        in_sentence = re.search(r"\blimit: 0\b|\bdaily (quota|limit)\b", self.message, re.IGNORECASE)
        return is_daily or is_zero or in_sentence is not None

    def _values(self, *keys: str) -> list[str]:
        return [str(found.get(key)) for found in self.objects for key in keys]


def read(body: bytes) -> Problem:
    """Return what the body of an error says."""
    value = json_body.parsed(body)
    if value is None and not body.lstrip().startswith(b"<"):  # a web page says nothing about the account
        value = json_body.text(body)
    return read_value(value)


def read_value(value: Any) -> Problem:
    """Return what a JSON value, its keys in snake_case, says as an error."""
    objects = tuple(islice(_objects({"error": value}), _MAX_OBJECTS))
    names = [word(found[key]) for found in objects for key in _NAMES if key in found]
    texts = [part for found in objects for key in _TEXTS for part in _texts(found.get(key))]
    named = tuple(name for name in names if name != "?" and not name.isdigit())
    return Problem(objects, named, " ".join(texts)[:_MAX_TEXT])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):  # a gateway quotes a response
        yield from _objects(json_body.parsed(value.encode(errors="replace")))


def _texts(value: Any) -> list[str]:
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
