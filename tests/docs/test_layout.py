"""The house keeps its layout: few entries at the root, and no test module that others import."""

import re
from pathlib import Path

from local import package

SOURCES = [
    path
    for folder in ("bench", "clients", "functions", "layers", "local", "ops", "testing", "tests")
    for path in (package.ROOT / folder).rglob("*.py")
]
IMPORTS_A_TEST_MODULE = re.compile(r"^(from|import) [\w.]*\btest_\w+", re.MULTILINE)


def test_the_root_shows_at_most_twenty_entries() -> None:
    tracked = {
        path.name for path in package.ROOT.iterdir() if not path.name.startswith(".") and path.name != "out"
    }
    assert len(tracked) <= 20


def test_nobody_imports_from_a_test_module() -> None:
    assert len(SOURCES) > 300
    importing = [path for path in SOURCES if IMPORTS_A_TEST_MODULE.search(path.read_text())]
    assert importing == []


def test_the_path_of_one_picture_names_files_that_exist() -> None:
    """The path of one picture, as docs/architecture.md tells it, exists."""
    text = (package.ROOT / "docs/architecture.md").read_text()
    path = text[text.index("## The path of one picture") :]
    named = re.findall(r"^\d\. `([\w/.]+)`", path, re.MULTILINE)
    folder = Path(package.ROOT / "layers/darkroom/src/darkroom")
    roots = [package.ROOT, folder]
    assert [name for name in named if not any((root / name).is_file() for root in roots)] == []
    assert named[:2] == ["functions/worker/app.py", "worker/run_job.py"]
