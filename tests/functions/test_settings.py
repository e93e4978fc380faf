"""Settings that contradict each other are found when a function is imported, before it can do harm."""

import pytest

from tests.functions.conftest import VALUES, Functions


@pytest.mark.parametrize("function", ["initiator", "webhook", "sweeper"])
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LEASE_SECONDS", "300", "lease must be at least worker_timeout"),
        ("GRACE_SECONDS", "59", "event_age must not be above grace"),
        ("DEADLINE_SECONDS", "60", "deadline must be above grace"),
        ("MAX_RETRIES", "-1", "max_retries must be 0 or more"),
    ],
)
def test_a_contradiction_is_a_clear_error_at_import(
    functions: Functions, function: str, variable: str, value: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        functions.load(function, **VALUES | {variable: value})
