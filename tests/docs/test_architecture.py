"""The architecture page names every module, and only parameters and modules that exist."""

import re
from pathlib import Path

import pytest

from local import package
from testing.template import PARAMETERS

PAGE = (package.ROOT / "docs/architecture.md").read_text()
PACKAGE = package.ROOT / "layers/darkroom/src/darkroom"
FILES = PAGE[PAGE.index("## Which file decides what?") :]
FOLDERS = ["domain", "usecases", "worker", "wire", "api", "adapters", "local"]


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.rglob("*.py")} - {"__init__"}


def section(folder: str) -> str:
    """Return the part of the page about a folder."""
    found = re.search(rf"^`{folder}/`.*?(?=^`|^At the top|^## )", FILES, re.DOTALL | re.MULTILINE)
    assert found is not None, folder
    return found[0]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_page_names_every_module_of_a_folder(folder: str) -> None:
    path = package.ROOT / folder if folder == "local" else PACKAGE / folder
    named = set(re.findall(r"`([a-z0-9_]+)`", section(folder)))
    assert modules(path) - named == set(), "say in the page what it decides"


def test_the_page_names_every_module_at_the_top_of_the_package() -> None:
    named = set(re.findall(r"`([a-z_]+)(?:\.py)?`", FILES))
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} - named == set()


def test_the_page_names_no_file_that_does_not_exist() -> None:
    for name in re.findall(r"`([a-z0-9_/]+\.py)`", PAGE):
        found = [root / name for root in (PACKAGE, package.ROOT) if (root / name).exists()]
        assert found or name in {"app.py", "bedrock.py", "openai.py"}, name


def test_the_parameters_of_the_page_exist() -> None:
    table = PAGE[PAGE.index("## Where is each value set?") : PAGE.index("## Which file decides what?")]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")][2:]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} <= PARAMETERS.keys()
