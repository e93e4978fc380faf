"""What `sam build` makes runs on a bare Python that has only what Lambda has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local import cloudformation, openapi, package

BUILD = package.ROOT / ".local" / "build"
FUNCTIONS = ("initiator", "worker", "webhook", "sweeper", "reader")


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in an isolated interpreter with nothing but `folders` and boto3 to import from."""
    site = Path(boto3.__file__).parent.parent
    runtime = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
    script = f"""
import importlib.machinery, sys
class Runtime(importlib.machinery.PathFinder):
    # What the Lambda runtime brings, and nothing else of the folder it lies in here.
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is None and name in {runtime!r}:
            return super().find_spec(name, [{str(site)!r}], target)
        return None
sys.path[:0] = {[str(folder) for folder in folders]!r}
sys.meta_path.append(Runtime)
{code}
"""
    return subprocess.run(
        [Path(sys.base_prefix) / "bin" / "python3.13", "-I", "-S", "-c", script],
        env=openapi.environment() | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_built_function_imports_with_only_the_layer(function: str) -> None:
    task, layer = BUILD / f"{function.capitalize()}Function", BUILD / "DarkroomLayer" / "python"
    code = "import app, darkroom, json; print(json.dumps([app.__file__, darkroom.__file__]))"
    done = run(code, task, layer)
    assert done.returncode == 0, done.stderr
    assert [Path(p).parent for p in json.loads(done.stdout)] == [task, layer / "darkroom"]


def test_without_the_layer_it_does_not() -> None:
    done = run("import app", BUILD / "ReaderFunction")
    assert "No module named 'darkroom'" in done.stderr or "aws_lambda_powertools" in done.stderr


def test_the_layer_fits_and_brings_no_second_boto3() -> None:
    layer = BUILD / "DarkroomLayer" / "python"
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    assert size < 40_000_000
    assert not (layer / "boto3").exists()
    assert not (layer / "botocore").exists()


def test_the_description_travels_with_the_reader() -> None:
    built = BUILD / "ReaderFunction" / "openapi.json"
    assert built.read_text() == openapi.TARGET.read_text()


def test_each_build_of_what_the_api_calls_is_another_release() -> None:
    """Its code lies in the layer, where SAM does not look when it decides whether to publish a version."""
    functions = cloudformation.load(package.ROOT / "template.yaml")["Resources"]
    aliased = {n for n, f in functions.items() if "AutoPublishAlias" in f.get("Properties", {})}
    assert aliased == {"InitiatorFunction", "WebhookFunction", "CallbacksFunction", "ReaderFunction"}
    assert {path.parent.name for path in BUILD.glob("*/release")} == aliased
    with_events = {
        name
        for name, function in functions.items()
        if any(e["Type"] == "HttpApi" for e in function.get("Properties", {}).get("Events", {}).values())
    }
    assert with_events == aliased
