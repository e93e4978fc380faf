"""What DynamoDB bills, by its own rules: sizes of items, and units of reads and writes.

"DynamoDB item sizes and formats" and "DynamoDB read and write operations" of the Developer Guide, as read
on 2026-11-25. An index entry is written by ordinary units, also when a transaction causes it. Expiry and
what Lambda reads of the stream are free.
"""

import math
from collections.abc import Mapping
from typing import Any

from darkroom.adapters.dynamodb.item_size import item_size

type Item = Mapping[str, Mapping[str, Any]]
"""As the client has it: name → type → value."""

WRITE_BLOCK, READ_BLOCK = 1024, 4096
_INDEX_KEYS = ("pk", "dueShard", "dueAt")


def write_units(old: Item | None, new: Item | None, *, transaction: bool = False) -> int:
    """Of one write: the larger of what was and what is, at least 1; twice that in a transaction."""
    size = max(item_size(old or {}), item_size(new or {}))
    return max(1, math.ceil(size / WRITE_BLOCK)) * (2 if transaction else 1)


def index_units(old: Item | None, new: Item | None) -> int:
    """Of keeping the index of what is due: an entry that moves is deleted and written."""
    before, after = _entry(old), _entry(new)
    if before == after:
        return 0
    return sum(math.ceil(item_size(entry) / WRITE_BLOCK) for entry in (before, after) if entry)


def _entry(item: Item | None) -> Item | None:
    """What the index holds of an item: its keys only, and nothing of one that has not all of them."""
    if item is None or any(name not in item for name in _INDEX_KEYS):
        return None
    return {name: item[name] for name in _INDEX_KEYS}


def read_units(size: int, *, consistent: bool = False, transaction: bool = False) -> float:
    """Of one read of `size` bytes; of a query, of all it read together."""
    return max(1, math.ceil(size / READ_BLOCK)) * (2 if transaction else 1 if consistent else 0.5)
