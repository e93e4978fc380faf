"""The delay that a provider's error asks for: in a header, in its body, or in its sentence."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from darkroom.adapters.providers.problem import Problem

LONGEST_DELAY_S = 86_400.0
"""A longer delay counts as this one: the number may be a mistake, too large for any clock."""

_UNITS = (
    (r"ms|milliseconds?", 0.001),
    (r"s|secs?|seconds?", 1.0),
    (r"m|mins?|minutes?", 60.0),
    (r"h|hrs?|hours?", 3600.0),
)
"""Names of a unit, and its seconds."""

_AMOUNT = rf"(\d+(?:\.\d+)?) ?({'|'.join(names for names, _ in _UNITS)})(?![a-z])"
_WAIT = re.compile(rf"(?:retry|try again) (?:in|after) ((?:{_AMOUNT} ?){{1,3}})", re.IGNORECASE)


def delay(problem: Problem, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that the body gives, else the header, else the sentence."""
    keys = ("retry_delay", "retry_after", "retry_after_seconds")
    given = [_duration(found[key]) for found in problem.objects for key in keys if key in found]
    if named := [value for value in given if value is not None]:
        return named[0]
    if (header := retry_after(headers)) is not None:
        return header
    if found := _WAIT.search(problem.message):
        amounts = re.findall(_AMOUNT, found[1], re.IGNORECASE)
        return seconds(sum(float(number) * _unit(name) for number, name in amounts))
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in `retry-after-ms`, or in `retry-after` as a number or a date.

    A date counts from the response's own `date`, so that the clocks need not agree. Names of `headers` are in
    lower case.
    """
    if (milliseconds := seconds(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    if (value := seconds(given)) is not None:
        return value
    then = _moment(given)
    now = _moment(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max(0.0, (then - now).total_seconds()), LONGEST_DELAY_S)


def seconds(text: object) -> float | None:
    """Return the number of seconds in `text`, `LONGEST_DELAY_S` at most; None for any other text."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return min(value, LONGEST_DELAY_S) if 0 <= value < math.inf else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (OverflowError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unit(name: str) -> float:
    return next(size for names, size in _UNITS if re.fullmatch(names, name, re.IGNORECASE))


def _duration(value: object) -> float | None:
    """Return the seconds in `"48s"`, `48`, or `{"seconds": 48, "nanos": 5}`."""
    if not isinstance(value, dict):
        return seconds(str(value).removesuffix("s"))
    whole = seconds(value.get("seconds", 0))
    fraction = seconds(f"{value.get('nanos') or 0}e-9")
    return None if whole is None or fraction is None else seconds(whole + fraction)
