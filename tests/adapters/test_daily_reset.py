"""The end of a provider's day."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from darkroom.adapters.providers.daily_reset import day_ends

CALIFORNIA = ZoneInfo("America/Los_Angeles")


def ms(*when: int) -> int:
    return round(datetime(*when, tzinfo=CALIFORNIA).timestamp() * 1000)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (ms(2026, 11, 24, 0, 0), ms(2026, 11, 25, 0, 0)),
        (ms(2026, 11, 24, 23, 59), ms(2026, 11, 25, 0, 0)),
        (ms(2026, 3, 8, 12, 0), ms(2026, 3, 9, 0, 0)),  # a day of 23 hours
        (ms(2026, 11, 1, 0, 30), ms(2026, 11, 2, 0, 0)),  # a day of 25 hours
    ],
)
def test_a_day_ends_at_midnight_in_the_providers_time_zone(now: int, end: int) -> None:
    assert day_ends("America/Los_Angeles")(now) == end


def test_an_unknown_time_zone_is_an_error_at_once() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        day_ends("Mars/Olympus")
