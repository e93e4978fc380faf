"""Run code on what `sam build` made, in a Python that has only what the Lambda runtime includes: boto3."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3

from local import openapi, package
from local.container_engine import architecture

BUILD = package.ROOT / ".local" / "build"
"""The folder of the build that tests and `make sam-local` use."""

LAYERS = {"arm64": "DarkroomArm64Layer", "x86_64": "DarkroomX86Layer"}
"""The layer of libraries for each processor."""
LAYER = LAYERS[architecture()]
"""The layer of libraries that this machine can import."""
BYTECODE = "BytecodeLayer"
_INCLUDED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""The packages that the Lambda runtime includes."""


def unpack_layers(folder: Path) -> Path:
    """Copy the layers of the build into `folder`, as Lambda does; return the folder for Python's path."""
    for layer in (LAYER, BYTECODE):
        shutil.copytree(BUILD / layer, folder, dirs_exist_ok=True)
    return folder / "python"


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in an isolated interpreter that imports only from `folders` and boto3.

    It writes no bytecode, since it could not on Lambda.
    """
    site = Path(boto3.__file__).parent.parent
    script = f"""
import importlib.machinery, sys
class Runtime(importlib.machinery.PathFinder):
    # Finds the packages that the Lambda runtime includes, and no other package beside them.
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is None and name in {_INCLUDED!r}:
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
