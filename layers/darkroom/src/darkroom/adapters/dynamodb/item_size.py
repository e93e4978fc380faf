"""The size of an item of the table, and the largest that can be stored.

Sizes are by "DynamoDB item sizes and formats" of the Developer Guide, as read on 2026-11-25.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from darkroom.domain.errors import CaseTooLarge

MAX_ITEM = 400_000
"""Bytes. DynamoDB takes 409,600; the rest is a margin for rounding."""


def check_size(item: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise CaseTooLarge when `item` is too large for the table."""
    size = item_size(item)
    if size > MAX_ITEM:
        raise CaseTooLarge(
            f"the case would take {size} bytes in the table; at most {MAX_ITEM} fit: shorten its descriptions"
        )


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes of names and values of `item`, in the client's form: name, type, value."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    return _SIZES[kind](content)


def _number_size(digits: str) -> int:
    return math.ceil(len(digits.lstrip("-").replace(".", "").strip("0")) / 2) + 1


_SIZES: Mapping[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": _number_size,
    "B": len,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "L": lambda values: 3 + sum(1 + _value_size(each) for each in values),
    "M": lambda values: 3 + item_size(values) + len(values),
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda numbers: sum(map(_number_size, numbers)),
    "BS": lambda parts: sum(map(len, parts)),
}
"""Bytes of a value, by its type."""
