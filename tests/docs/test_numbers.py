"""The tables "Where is the number?" say what the template and the code say."""

import re
from typing import NamedTuple

import pytest

from local import cloudformation, package

TEXT = (package.ROOT / "CONTRIBUTING.md").read_text()
NUMBERS = TEXT[TEXT.index("## Where is the number?") : TEXT.index("## To add a provider")]
PARAMETERS = cloudformation.load(package.ROOT / "template.yaml")["Parameters"]
CODE = package.ROOT / "layers/darkroom/src/darkroom"


class Setting(NamedTuple):
    """A name and its value, as a table and the code write them."""

    file: str
    name: str
    value: str


def settings() -> list[Setting]:
    """Return every setting in the tables."""
    rows = [row for row in re.findall(r"^\| .+ \| (.+) \| (`.+) \|$", NUMBERS, re.MULTILINE) if "=" in row[0]]
    return [
        Setting(re.findall("`([^`]+)`", file)[0], *re.split(" ?= ?", setting))
        for cell, file in rows
        for setting in re.findall("`([^`]+)`", cell)
    ]


def test_the_table_of_parameters_has_every_number_and_its_default() -> None:
    rows = re.findall(r"^\| .+ \| `(\w+)` \| ([\d.]+)[^|]*\|$", NUMBERS, re.MULTILINE)
    numbers = {name: str(p["Default"]) for name, p in PARAMETERS.items() if p["Type"] == "Number"}
    assert dict(rows) == numbers


@pytest.mark.parametrize("setting", settings(), ids=lambda setting: f"{setting.file}-{setting.name}")
def test_a_number_has_the_value_of_the_table_where_the_table_says(setting: Setting) -> None:
    code = (CODE / setting.file).read_text()
    value = re.escape(setting.value)
    assert re.search(rf"^\s*{setting.name}(: \w+)? ?= ?{value}(,|$|\s)", code, re.MULTILINE)
