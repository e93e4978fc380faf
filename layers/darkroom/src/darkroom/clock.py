"""The clock and the source of ids that functions pass to the core."""

import time
import uuid


def clock() -> int:
    """Return the time in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Return a new id that nobody can guess."""
    return uuid.uuid4().hex
