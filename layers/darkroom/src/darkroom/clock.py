"""The clock and the source of ids that handlers give to the core."""

import time
import uuid


def clock() -> int:
    """See Clock."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """See NewId."""
    return uuid.uuid4().hex
