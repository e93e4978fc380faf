"""template.yaml as data, for tests: its functions, what they are allowed to do, and their routes."""

from typing import Any

from local import cloudformation, package

TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {
    logical_id.removesuffix("Function").lower(): resource["Properties"]
    for logical_id, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
"""The properties of each function, by the name of its folder."""


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def name_of(resource: Any) -> str:
    """Return a resource as one string: the text of a Sub, the path of a GetAtt, the target of a Ref."""
    if isinstance(resource, dict):
        [(kind, inner)] = resource.items()
        if kind == "Fn::If":
            return name_of(inner[1])
        return ".".join(inner) if isinstance(inner, list) else str(inner)
    return str(resource)


def variables_of(function: str) -> dict[str, str]:
    """Return the environment of a function when every parameter has its default."""
    return cloudformation.variables(TEMPLATE, f"{function.capitalize()}Function")


def statements_of(function: str) -> list[dict[str, Any]]:
    """Return all statements that a function may have, with those that depend on a condition."""
    given = [s for policy in FUNCTIONS[function]["Policies"] for s in policy["Statement"]]
    for statement in given:
        assert "Fn::If" not in statement or statement["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    return [s["Fn::If"][1] if "Fn::If" in s else s for s in given]


def granted(function: str) -> set[tuple[str, str]]:
    """Return what a function may do, as pairs of action and resource."""
    statements = statements_of(function)
    assert all(s["Effect"] == "Allow" for s in statements)
    return {
        (action, name_of(resource))
        for s in statements
        for action in as_list(s["Action"])
        for resource in as_list(s["Resource"])
    }


def events_of(function: str, kind: str) -> list[dict[str, Any]]:
    """Return the properties of a function's events of one type."""
    events = FUNCTIONS[function].get("Events", {}).values()
    return [event["Properties"] for event in events if event["Type"] == kind]


def routes() -> list[dict[str, Any]]:
    """Return the properties of every route; the one of requests to no route has no `Path`."""
    return [route for function in FUNCTIONS for route in events_of(function, "HttpApi")]


def item_condition(*prefixes: str) -> dict[str, Any]:
    """Return the condition that limits a statement to items whose keys begin with one of `prefixes`."""
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{prefix}*" for prefix in prefixes]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
