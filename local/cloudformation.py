"""Read a CloudFormation template into plain data, with short forms expanded (`!Ref x` → `{"Ref": "x"}`)."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    pass


def _long_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        text = loader.construct_scalar(node)
        return {name: text.split(".", 1) if suffix == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


def load(path: Path) -> dict[str, Any]:
    """Return the template at `path`; the caller may change it."""
    template: dict[str, Any] = json.loads(_as_json(path.read_text()))
    return template


@cache
def _as_json(text: str) -> str:
    """Return the template `text` as JSON. YAML takes half a second to parse: each text is parsed once."""
    return json.dumps(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader


def variables(template: dict[str, Any], logical_id: str, other: str = "unused") -> dict[str, str]:
    """Return a function's variables with the default of each parameter; any other value is `other`."""
    given = template["Resources"][logical_id]["Properties"]["Environment"]["Variables"]
    parameters = template["Parameters"]
    referred = {name: value.get("Ref") if isinstance(value, dict) else None for name, value in given.items()}
    return {name: str(parameters.get(ref, {}).get("Default", other)) for name, ref in referred.items()}
