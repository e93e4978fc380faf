"""Wait for processes that run in real time."""

import time
from collections.abc import Callable

INTERVAL_S = 0.02
DEADLINE_S = 60.0


def wait_for[T](
    read: Callable[[], T], accept: Callable[[T], bool], what: str, *, within_s: float = DEADLINE_S
) -> T:
    """Call `read` until `accept` returns True for its result; return that result.

    Raise AssertionError after `within_s` seconds; its message names `what` was expected and the last result.
    """
    end = time.monotonic() + within_s
    while not accept(found := read()):
        assert time.monotonic() < end, f"not within {within_s} s: {what}; last seen: {found}"
        time.sleep(INTERVAL_S)
    return found
