"""The maps of README and architecture name what is there, and the README stays short."""

import re
import subprocess

import pytest

from local import package

README = (package.ROOT / "README.md").read_text()
ARCHITECTURE = (package.ROOT / "docs/architecture.md").read_text()
TRACKED = subprocess.run(
    ["/usr/bin/env", "git", "ls-files", "--cached", "--others", "--exclude-standard"],
    cwd=package.ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()
CODE = "layers/darkroom/src/darkroom"
CURRENT = [
    *("CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md", "docs/guarantees.md"),
    *("docs/guides/clients.md", "docs/guides/local-stack.md", "docs/guides/operations.md"),
    *("docs/measurements/bench.md", "docs/measurements/cold-start.md", "docs/measurements/scale.md"),
]
"""Documents of what is; decisions and the changelog also name what was."""


def entries(under: str = "") -> set[str]:
    """Return the visible files and folders (with a slash) of a folder."""
    found = [name.removeprefix(under) for name in TRACKED if name.startswith(under)]
    present = [name for name in found if (package.ROOT / under / name).exists()]
    parts = [name.partition("/") for name in present]
    return {first + slash for first, slash, _ in parts if first[0] not in "._"}


def test_the_readme_has_a_line_for_each_entry_of_the_root_and_they_are_twenty_at_most() -> None:
    mapped = README[README.index("## What is where?") :]
    assert set(re.findall(r"^\| `([^`]+)` \|", mapped, re.MULTILINE)) == entries()
    assert len(entries()) <= 20


def test_the_architecture_names_every_module_at_the_top_of_the_package() -> None:
    start = ARCHITECTURE.index(f"## `{CODE}/`")
    block = ARCHITECTURE[start : ARCHITECTURE.index("\n## ", start + 1)]
    rows = re.findall(r"^\| (`.+`) \|", block, re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    assert named == {name for name in entries(f"{CODE}/") if name != "py.typed"}


def test_the_readme_is_read_in_three_minutes() -> None:
    assert README.count("\n") <= 160


@pytest.mark.parametrize("document", CURRENT)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    text = (package.ROOT / document).read_text()
    named = re.findall(r"`((?:\w[\w-]*/)+(?:[\w-]+\.(?:py|md|yaml|json|sh|toml))?)`", text)
    roots = [package.ROOT, package.ROOT / CODE]
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
