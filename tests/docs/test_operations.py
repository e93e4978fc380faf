"""The functions write the log lines that operations.md names."""

import re

import pytest

from local import package

TEXT = (package.ROOT / "docs/guides/operations.md").read_text()
CODE = "\n".join(
    path.read_text()
    for folder in ("functions", "layers/darkroom/src/darkroom")
    for path in sorted((package.ROOT / folder).rglob("*.py"))
)
MESSAGES = re.sub(r'"\s*\n\s*f?"', "", CODE)
"""The code with its split texts joined."""

_REASONS = TEXT[TEXT.index("| `reasons` says |") : TEXT.index("These errors are final")]
REASONS = re.findall(r"^\| ([^|*`]+?)(?:, \*\w+\*)? \| `\w+` \|", _REASONS, re.MULTILINE)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_in_the_table_is_what_a_provider_error_says(reason: str) -> None:
    assert reason in MESSAGES


def test_the_table_of_reasons_is_read() -> None:
    assert len(REASONS) == _REASONS.count("\n| ") - 1


EVENTS = [
    *("caller_entry_skipped", "case_submitted", "change_not_processed", "delivery_attempted"),
    *("jobs_not_swept", "run_ended", "unexpected_error"),
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_log_line_that_operators_look_for_is_written(event: str) -> None:
    assert event in TEXT
    assert f'"{event}"' in CODE
