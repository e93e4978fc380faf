"""Make the zips that the emulator runs: each function's folder, and the layer for this machine's Python."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "functions"
LIBRARIES = ROOT / ".local" / "layer" / "python"
"""Filled by `make setup` from the pinned requirements of the layer."""
PACKAGE = ROOT / "layers" / "darkroom" / "src"


def functions() -> list[str]:
    """Return the name of each function's folder."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py"))


def function_zip(name: str) -> bytes:
    """Return the zip of one function's folder."""
    return _zip((path, str(path.relative_to(FUNCTIONS / name))) for path in _files(FUNCTIONS / name))


def layer_zip() -> bytes:
    """Return the zip of our package and its libraries, in the folders where Lambda looks for them."""

    def members() -> Iterator[tuple[Path, str]]:
        for path in _files(PACKAGE / "darkroom"):
            yield path, f"python/{path.relative_to(PACKAGE)}"
        for path in _files(LIBRARIES, compiled=True):
            yield path, f"python/{path.relative_to(LIBRARIES)}"

    return _zip(members())


def _files(folder: Path, *, compiled: bool = False) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (compiled or path.suffix != ".pyc") and path.name != "Makefile":
            yield path


def _zip(members: Iterator[tuple[Path, str]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, name in members:
            archive.write(path, name)
    return buffer.getvalue()
