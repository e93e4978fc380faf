"""Each guarantee names a test, and the test is where its link leads."""

import re

import pytest

from local import package

TEXT = (package.ROOT / "docs/guarantees.md").read_text()
LINKS = sorted(set(re.findall(r"\[`(test_\w+)`\]\(\.\./([^)]+)\)", TEXT)))
ROWS = [
    row for row in re.findall(r"^\| .+ \| .+ \| (.+) \|$", TEXT, re.MULTILINE) if row not in ("---", "test")
]


@pytest.mark.parametrize(("name", "path"), LINKS, ids=[name for name, _ in LINKS])
def test_a_test_that_proves_a_guarantee_is_where_its_link_leads(name: str, path: str) -> None:
    assert re.search(rf"^ *(async )?def {name}\(", (package.ROOT / path).read_text(), re.MULTILINE)


@pytest.mark.parametrize("row", ROWS)
def test_every_guarantee_has_a_test(row: str) -> None:
    assert "](../tests/" in row
