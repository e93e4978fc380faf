"""The end of a provider's day: its daily quota is reset at midnight in its own time zone."""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_ends(zone: str) -> Callable[[int], int]:
    """Return a function from a time to the end of its day in `zone`, both in epoch milliseconds.

    Raises ZoneInfoNotFoundError.
    """
    time_zone = ZoneInfo(zone)

    def day_until(now: int) -> int:
        today = datetime.fromtimestamp(now / 1000, time_zone).date()
        midnight = datetime.combine(today + timedelta(days=1), time(), time_zone)
        return round(midnight.timestamp() * 1000)

    return day_until
