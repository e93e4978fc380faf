"""The size of an item of the table, and the largest that can be stored.

Sizes are by "DynamoDB item sizes and formats" of the Developer Guide, as read on 2026-11-25.
"""

import math
from collections.abc import Mapping
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
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            digits = content.lstrip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_size(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in content.items())
    raise AssertionError(f"{kind} is not known here: say how large it is")
