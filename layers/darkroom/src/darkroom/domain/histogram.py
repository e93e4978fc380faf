"""Durations counted in buckets that grow by a fifth each: a percentile is within a tenth of the truth."""

import math
from collections.abc import Mapping

FIRST = 10.0
"""Milliseconds: the end of bucket 0."""
GROWTH = 1.2
BUCKETS = 102
"""The last one begins above a week."""


def bucket(milliseconds: float) -> int:
    """Which bucket holds a duration."""
    if milliseconds <= FIRST:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(milliseconds / FIRST, GROWTH) - 1e-9))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration in milliseconds that `share` of those counted do not exceed; None of none.

    Within a bucket durations are taken to be spread evenly.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, below = share * total, 0
    for index in sorted(counts):
        if below + counts[index] >= wanted:
            end = FIRST * GROWTH**index
            begin = end / GROWTH if index else 0.0
            return begin + (end - begin) * (wanted - below) / counts[index]
        below += counts[index]
    raise AssertionError("the last bucket reaches the total")
