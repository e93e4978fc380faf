"""Compute the read and write units that DynamoDB bills, from the sizes of items.

The rules are in "DynamoDB item sizes and formats" and "DynamoDB read and write operations" of the Developer
Guide, as of 2026-11-25. An index entry costs ordinary units, even in a transaction. Expiry and Lambda's reads
of the stream are free.
"""

import math
from collections.abc import Mapping
from typing import Any

from darkroom.adapters.dynamodb.item_size import item_size

type Item = Mapping[str, Mapping[str, Any]]
"""An item in the form of the client: name → type → value."""

WRITE_BLOCK, READ_BLOCK = 1024, 4096
_INDEX_KEYS = ("pk", "dueShard", "dueAt")


def write_units(old: Item | None, new: Item | None, *, transaction: bool = False) -> int:
    """Return the units of a write: by the larger of the old and the new item; twice that in a transaction."""
    size = max(item_size(old or {}), item_size(new or {}))
    return max(1, math.ceil(size / WRITE_BLOCK)) * (2 if transaction else 1)


def index_units(old: Item | None, new: Item | None) -> int:
    """Return the units of the index of due items: an entry that changes is deleted and written."""
    before, after = _entry(old), _entry(new)
    if before == after:
        return 0
    return sum(math.ceil(item_size(entry) / WRITE_BLOCK) for entry in (before, after) if entry)


def _entry(item: Item | None) -> Item | None:
    """Return the index's entry of an item: its keys, or None if the item lacks one of them."""
    if item is None or any(name not in item for name in _INDEX_KEYS):
        return None
    return {name: item[name] for name in _INDEX_KEYS}


def read_units(size: int, *, consistent: bool = False, transaction: bool = False) -> float:
    """Return the units of a read of `size` bytes; for a query, `size` is that of all its items."""
    return max(1, math.ceil(size / READ_BLOCK)) * (2 if transaction else 1 if consistent else 0.5)
