"""Fixtures: the modules that a bare Python with the layers imports, once for all tests of the build."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from local import package
from local.runtime import BUILD, run, unpack_layers
from local.sam import SAM

REPORT = """
import app, darkroom, json, os
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
ours = [name for name, file in files.items() if (file or "").startswith(sys.path[1]) and file.endswith(".py")]
anew = [name for name in ours if not os.path.exists(sys.modules[name].__cached__)]
print(json.dumps({"files": files, "from_layers": len(ours), "compiled_anew": anew}))
"""


@dataclass(frozen=True)
class Imported:
    """The modules of a new process that has imported a function."""

    files: dict[str, str | None]
    """The file of each module."""
    from_layers: int
    """Number of modules that come from the layers."""
    compiled_anew: list[str]
    """Modules of the layers whose bytecode did not travel with them."""


def make(target: str) -> None:
    """Make a file of the Makefile unless it is up to date; fail with the output of `make`."""
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--silent", target]
    done = subprocess.run(command, cwd=package.ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"`make {target}` failed:\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def sam_python() -> Path:
    """Install SAM CLI unless it is installed; return the Python that can import it."""
    make(".tools/sam/.ready")
    return Path(SAM).with_name("python")


@pytest.fixture(scope="session")
def built() -> None:
    """Run `sam build` unless its result is up to date, beside the tests that do not look at it."""
    make(".local/build/template.yaml")


@pytest.fixture(scope="session")
def layers(built: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_layers(tmp_path_factory.mktemp("opt"))


@pytest.fixture(scope="session")
def imported(layers: Path) -> Callable[[str], Imported]:
    """Return what a process has imported after the app of a function of the template."""

    @cache
    def import_app(function: str) -> Imported:
        done = run(REPORT, BUILD / function, layers)
        assert done.returncode == 0, done.stderr
        return Imported(**json.loads(done.stdout))

    return import_app
