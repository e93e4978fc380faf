"""Contradictory settings are an error when a function is imported."""

from dataclasses import MISSING, fields

import pytest
from darkroom import settings
from darkroom.settings import Settings

from local import cloudformation, package
from testing.functions import VALUES, Functions


@pytest.mark.parametrize("function", ["initiator", "webhook", "sweeper"])
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LEASE_SECONDS", "300", "lease must be at least worker_timeout"),
        ("GRACE_SECONDS", "59", "event_age must not be above grace"),
        ("DEADLINE_SECONDS", "60", "deadline must be above grace"),
        ("MAX_LOST_RUNS", "-1", "max_lost_runs must be 0 or more"),
    ],
)
def test_contradictory_settings_are_a_clear_error_at_import(
    functions: Functions, function: str, variable: str, value: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        functions.load(function, **VALUES | {variable: value})


TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")


@pytest.mark.parametrize("function", package.functions())
def test_a_parameter_and_the_setting_it_fills_have_the_same_default(function: str) -> None:
    kind: type[Settings] = getattr(settings, f"{function.capitalize()}Settings")
    defaults = kind(**{f.name: "-" for f in fields(kind) if f.default is MISSING})
    resource = TEMPLATE["Resources"][f"{function.capitalize()}Function"]["Properties"]
    compared = {}
    for variable, value in resource["Environment"]["Variables"].items():
        parameter = TEMPLATE["Parameters"].get(value.get("Ref", ""), {}) if isinstance(value, dict) else {}
        if "Default" in parameter and hasattr(defaults, variable.lower()):
            own = getattr(defaults, variable.lower())
            text = parameter["Default"]
            same = str(own).lower() if isinstance(own, bool) else own
            compared[variable] = (type(same)(text), same)
    assert {name: pair for name, pair in compared.items() if pair[0] != pair[1]} == {}
