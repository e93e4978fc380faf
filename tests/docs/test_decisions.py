"""Decisions have one form, are in the index, and say when another one has taken their place."""

import re
from pathlib import Path

import pytest

from local import package

FOLDER = package.ROOT / "docs/decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
INDEX = (FOLDER / "README.md").read_text()
FORM = re.compile(
    r"# (?P<number>\d{4})\. (?P<title>[^\n]+)\n\n"
    r"- Date: (?P<date>\d{4}-\d\d-\d\d)(, revised \d{4}-\d\d-\d\d)?\n"
    r"- Status: (?P<status>accepted|superseded by \[\d{4}\]\((?P<by>[^)]+)\))(; supersedes [^\n]+)?\n\n"
    r"## Context\n\n.+\n\n## Decision\n\n.+\n\n## Consequences\n\n.+\n",
    re.DOTALL,
)


def test_decisions_are_numbered_without_gaps() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04d}" for n in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_form_and_its_line_in_the_index(path: Path) -> None:
    found = FORM.fullmatch(path.read_text())
    assert found is not None
    assert found["number"] == path.name[:4]
    line = f"| {found['number']} | [{found['title']}]({path.name}) | {found['date']} | {found['status']} |"
    assert line in INDEX.splitlines()


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_superseded_decision_is_named_by_a_later_one(path: Path) -> None:
    found = FORM.fullmatch(path.read_text())
    assert found is not None
    if found["by"] is not None:
        assert found["by"] > path.name
        assert f"supersedes [{path.name[:4]}]({path.name})" in (FOLDER / found["by"]).read_text()
