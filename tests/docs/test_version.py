"""One release has one version: the package's. Whatever else names it says the same."""

import importlib.metadata
import json
import re
import tomllib

import pytest

from local import package


def version_of(project: str) -> str:
    return str(tomllib.loads((package.ROOT / project / "pyproject.toml").read_text())["project"]["version"])


VERSION = version_of("layers/darkroom")


def test_the_client_has_the_version_of_the_package() -> None:
    assert version_of("clients/python") == VERSION


@pytest.mark.parametrize("name", ["darkroom", "darkroom-client"])
def test_what_is_installed_has_the_version_of_the_package(name: str) -> None:
    assert importlib.metadata.version(name) == VERSION, "install it again: make setup"


def test_the_description_of_the_api_has_the_version_of_the_package() -> None:
    description = json.loads((package.FUNCTIONS / "reader" / "openapi.json").read_text())
    assert description["info"]["version"] == VERSION


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    headings = re.findall(r"^## (\S+)", (package.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == VERSION
