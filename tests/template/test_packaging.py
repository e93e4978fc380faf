"""The layer ships pinned libraries, tests run on the same versions, and the changelog names the version."""

import re
import tomllib
from pathlib import Path

import pytest

from local import package
from testing.template import FUNCTIONS, RESOURCES, events_of

LAYER = package.ROOT / "layers/darkroom"
SHIPPED = package.PACKAGE / "requirements.txt"
PROJECT = tomllib.loads((LAYER / "pyproject.toml").read_text())["project"]


def versions(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_the_layers_libraries_are_pinned_with_hashes() -> None:
    needed = {re.split(r"[<>=]", dependency)[0] for dependency in PROJECT["dependencies"]}
    assert needed <= versions(SHIPPED).keys()
    assert all("--hash=" in block for block in re.split(r"\n(?=[a-z])", SHIPPED.read_text())[1:])


def test_tests_run_on_the_versions_that_the_layer_ships() -> None:
    assert versions(SHIPPED).items() <= versions(package.ROOT / "requirements/dev.txt").items()


def test_the_changelog_names_the_version() -> None:
    assert f"## {PROJECT['version']}" in (package.ROOT / "CHANGELOG.md").read_text()


RELEASED = [name for name, function in FUNCTIONS.items() if "AutoPublishAlias" in function]


@pytest.mark.parametrize("function", RELEASED)
def test_each_build_of_a_function_with_an_alias_is_a_release(function: str) -> None:
    """SAM publishes a version only if the function's own folder has changed."""
    name = f"{function.capitalize()}Function"
    assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile"}
    makefile = (package.FUNCTIONS / function / "Makefile").read_text()
    assert f"build-{name}:" in makefile
    assert '>"$(ARTIFACTS_DIR)/release"' in makefile


def test_the_functions_behind_the_api_have_an_alias_and_the_others_have_none() -> None:
    assert set(RELEASED) == {name for name in FUNCTIONS if events_of(name, "HttpApi")}
