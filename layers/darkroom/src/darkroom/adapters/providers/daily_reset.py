"""When a provider's day ends: its daily quota begins anew at midnight where it lives."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_ends(zone: str) -> Callable[[int], int]:
    """The end of the day that a time lies in, both in epoch milliseconds; raises ZoneInfoNotFoundError."""
    where = ZoneInfo(zone)

    def day_until(now: int) -> int:
        today = datetime.fromtimestamp(now / 1000, where).date()
        midnight = datetime.combine(today + timedelta(days=1), time(), where)
        return round(midnight.timestamp() * 1000)

    return day_until
