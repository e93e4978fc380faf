"""What `sam build` made, on a bare Python that has only what the Lambda runtime brings: boto3."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3

from local import openapi, package
from local.container_engine import architecture

BUILD = package.ROOT / ".local" / "build"
"""The build that `make` makes."""

LAYERS = {"arm64": "DarkroomArm64Layer", "x86_64": "DarkroomX86Layer"}
"""The layer of libraries for each processor."""
LAYER = LAYERS[architecture()]
"""The one that this machine can import."""
BYTECODE = "BytecodeLayer"
_BROUGHT = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def unpack_layers(folder: Path) -> Path:
    """The layers of the build in `folder`, one over the other as Lambda does; where Python finds them."""
    for layer in (LAYER, BYTECODE):
        shutil.copytree(BUILD / layer, folder, dirs_exist_ok=True)
    return folder / "python"


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in an isolated interpreter with nothing but `folders` and boto3 to import from.

    It writes no bytecode, because on Lambda it could not.
    """
    site = Path(boto3.__file__).parent.parent
    script = f"""
import importlib.machinery, sys
class Runtime(importlib.machinery.PathFinder):
    # What the Lambda runtime brings, and nothing else of the folder it lies in here.
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is None and name in {_BROUGHT!r}:
            return super().find_spec(name, [{str(site)!r}], target)
        return None
sys.path[:0] = {[str(folder) for folder in folders]!r}
sys.meta_path.append(Runtime)
{code}
"""
    return subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3.13", "-I", "-S", "-B", "-c", script],
        env=openapi.environment() | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
