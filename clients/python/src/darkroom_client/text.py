"""Make a server's text safe for a terminal."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

_JOINERS = "\u200c\u200d"
_TAGS = range(0xE0020, 0xE0080)
"""The characters that end the emoji of a flag."""
_MARKS = "\u200e\u200f\u061c"
"""Invisible characters that change the writing direction of their neighbours. Letters do not need them."""


def plain(text: str) -> str:
    """Return `text` without characters that control a terminal or change the writing direction.

    Joiners stay, because Persian, the scripts of India and emoji need them. Other invisible characters are
    removed.
    """
    return "".join(map(_plain, text))


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs", "Zl", "Zp"):
        return "\N{REPLACEMENT CHARACTER}"
    if category != "Cf" or character in _JOINERS or ord(character) in _TAGS:
        return character
    direction = unicodedata.bidirectional(character)
    if direction == "BN" or character in _MARKS:
        return ""
    # The Arabic signs before a number are Cf too, but visible.
    return character if direction in ("AN", "AL", "L") else "\N{REPLACEMENT CHARACTER}"


def plain_model[M: BaseModel](model: M) -> M:
    """Return `model` with every text in it plain."""
    return type(model).model_validate(_each(plain, model.model_dump()))


def _each(change: Callable[[str], str], value: Any) -> Any:
    match value:
        case str():
            return change(value)
        case dict():
            return {_each(change, key): _each(change, each) for key, each in value.items()}
        case list():
            return [_each(change, each) for each in value]
        case _:
            return value


def as_json(model: BaseModel, *, ascii_only: bool) -> str:
    r"""Return `model` as one line of JSON, with characters that control a terminal escaped as `\u...`."""
    text = json.dumps(
        model.model_dump(mode="json", by_alias=True, exclude_none=True), ensure_ascii=ascii_only
    )
    return re.sub(r"[^ -~]", _escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if _plain(character) == character:
        return character
    return json.dumps(character)[1:-1] if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
