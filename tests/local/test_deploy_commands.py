"""SAM's own option parser reads the documented commands that build and deploy; it runs none of them."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import cloudformation, package

PARSE = """
import inspect, json, sys
from importlib import import_module
from samcli.cli.main import cli

found = []
for words in json.load(sys.stdin):
    command = import_module(f"samcli.commands.{words[0]}.command")
    if not hasattr(command, "signature"):
        command.signature = inspect.signature(command.do_cli)
    signature = command.signature
    command.do_cli = lambda *given, **named: found.append(signature.bind(*given, **named).arguments)
    cli(words, prog_name="sam", standalone_mode=False)
print(json.dumps(found, default=str))
"""
type Parsed = dict[str, dict[str, Any]]

DOCUMENTS = ("README.md", "docs/guides/operations.md")
PARAMETERS = cloudformation.load(package.ROOT / "template.yaml")["Parameters"]


def documented(command: str) -> list[str]:
    """Return every line of a code block that begins with `command`, without its comment."""
    texts = [(package.ROOT / name).read_text() for name in DOCUMENTS]
    blocks = [block for text in texts for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    lines = [line for block in blocks for line in block.splitlines() if line.startswith(command)]
    return sorted({" ".join(line.split("#")[0].split()) for line in lines})


LATER = {stage: f"sam deploy --config-env {stage}" for stage in ("prod", "dev")}
LINES = [*documented("sam deploy"), *documented("sam build"), *LATER.values()]


@pytest.fixture(scope="module")
def parsed(sam_python: Path) -> Parsed:
    """Return the arguments that SAM would use for each line."""
    words = [shlex.split(line.replace("$GEMINI_API_KEY", "a-key"), comments=True)[1:] for line in LINES]
    done = subprocess.run(
        [sam_python, "-c", PARSE],
        input=json.dumps(words),
        cwd=package.ROOT,
        env={"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(LINES, json.loads(done.stdout.splitlines()[-1]), strict=True))


def test_deploying_a_first_stack_production_and_the_other_processor_is_documented() -> None:
    key = 'GeminiApiKey="$GEMINI_API_KEY"'
    assert documented("sam deploy") == [
        f"sam deploy --config-env prod --parameter-overrides Stage=prod {key}",
        f"sam deploy --parameter-overrides Architecture=x86_64 {key}",
        f"sam deploy --parameter-overrides {key}",
    ]


@pytest.mark.parametrize("line", documented("sam deploy"))
def test_a_documented_deployment_is_complete_and_its_parameters_exist(parsed: Parsed, line: str) -> None:
    found = parsed[line]
    given = found["parameter_overrides"]
    assert found["guided"] is False
    assert found["resolve_s3"] is True
    assert found["capabilities"] == ["CAPABILITY_IAM"]
    assert given["GeminiApiKey"] == "a-key"
    assert given.keys() <= PARAMETERS.keys()
    for name, value in given.items():
        assert value in PARAMETERS[name].get("AllowedValues", [value])
    production = found["stack_name"].endswith("-prod")
    assert production == (given.get("Stage") == "prod") == ("--config-env prod" in line)
    assert given.get("Architecture") == ("x86_64" if "x86_64" in line else None)


@pytest.mark.parametrize("line", documented("sam build"))
def test_a_build_needs_no_parameters(parsed: Parsed, line: str) -> None:
    found = parsed[line]
    assert found["parameter_overrides"] == {}
    assert Path(found["template"]) == package.ROOT / "template.yaml"


@pytest.mark.parametrize("stage", LATER)
def test_a_later_deployment_needs_only_the_environment(parsed: Parsed, stage: str) -> None:
    found = parsed[LATER[stage]]
    assert (found["stack_name"], found["parameter_overrides"]) == (f"darkroom-{stage}", {"Stage": stage})


def test_every_parameter_has_a_default() -> None:
    assert all("Default" in parameter for parameter in PARAMETERS.values())
