"""Write the API's reference for people, docs/reference/api.md, from its OpenAPI description."""

from collections.abc import Iterator
from typing import Any

from darkroom.api import responses
from darkroom.domain.errors import DarkroomError, RequestError, tree
from darkroom.domain.shot_errors import ShotError
from darkroom.wire.problems import CODES

type Schema = dict[str, Any]

HEAD = """# API reference

`make openapi` writes this page from the handlers.
`GET /api/openapi.json` returns the same description for programs.
How to use the API: [clients.md](../guides/clients.md).

Times are epoch milliseconds, money is US dollars.

Every error of Darkroom is a [Problem](#problem) (`application/problem+json`) with a stable `code`.
[Codes](#codes) says what each code means and what to do about it.
An error of API Gateway itself (401, some 403, 413, 429, 503) is a [GatewayMessage](#gatewaymessage).

Every GET route accepts HEAD too and returns the same status and headers, without the body.

`If-None-Match` and `If-Match` accept every form of RFC 9110: one tag or several, weak ones, `*`.
`If-None-Match` is compared weakly, and a value that cannot be parsed is ignored.
`If-Match` is compared strongly, so a weak tag matches nothing.
An `If-Match` that cannot be parsed is refused with 400, because it guards money.
`If-Match` accepts the `ETag` of any response with the job, in either form, or `"{jobId}.{version}"`.
"""

CODES_HEAD = """## Codes

Codes are stable; a later release may add some.
Messages are for people and may change.
"""


def reference(described: dict[str, Any]) -> str:
    """Return the reference as Markdown; `described` is the OpenAPI description of the API."""
    lines = [HEAD, "## Routes", ""]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            lines += _route(method.upper(), path, operation)
    lines += _codes()
    lines += ["## Schemas", ""]
    for name, schema in described["components"]["schemas"].items():
        lines += _schema(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _codes() -> Iterator[str]:
    """Yield a table of every code that a caller can see, from the classes of domain/errors.py."""
    kinds = [kind for kind in tree(DarkroomError) if kind is not RequestError]
    yield CODES_HEAD
    yield "### Of requests\n\nThe `code` of a [Problem](#problem).\n"
    yield "| code | status | means | what to do |\n| --- | --- | --- | --- |"
    for kind in kinds:
        if kind.code in CODES:
            yield f"| `{kind.code}` | {int(responses.status_of(kind))} | {_meaning(kind)} | {kind.advice} |"
    yield "\n### Of pictures\n\nThe `code` in a job's `errors`, by the shot's id.\n"
    yield "| code | retryable | means | what to do |\n| --- | --- | --- | --- |"
    for kind in tree(ShotError):
        assert issubclass(kind, ShotError)
        yield f"| `{kind.code}` | {str(kind.retryable).lower()} | {_meaning(kind)} | {kind.advice} |"
    yield ""


def _meaning(kind: type[DarkroomError]) -> str:
    """Return the first sentence of the class's docstring."""
    text = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."


def _route(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    token = "" if "security" in operation else " No token."
    yield f"{operation['summary'].rstrip('.')}. {operation.get('description', '')}".strip() + token + "\n"
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "query":
            yield f"- query `{parameter['name']}`: {_type(parameter['schema'])}"
    if "requestBody" in operation:
        [content] = operation["requestBody"]["content"].values()
        needed = "" if operation["requestBody"].get("required") else " (optional)"
        yield f"- body: {_type(content['schema'])}{needed}"
    for status, response in sorted(operation["responses"].items()):
        schemas = [content["schema"] for content in response.get("content", {}).values()]
        shown = [_type(schema) for schema in schemas if "$ref" in schema]
        yield f"- {status}: {response['description']}" + (f"; {' or '.join(shown)}" if shown else "")
    yield ""


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield schema["description"].replace("\n\n", " ") + "\n"
    if "properties" not in schema:
        yield f"{_type(schema)}\n"
        return
    yield "| field | type |\n| --- | --- |"
    for field, value in schema["properties"].items():
        optional = "" if field in schema.get("required", []) else " (optional)"
        yield f"| `{field}` | {_type(value)}{optional} |"
    yield ""


def _type(schema: Schema) -> str:
    """Describe the type of a value of this schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"]) + _default(schema)
    either = schema.get("anyOf") or schema.get("allOf")
    if either:
        return " or ".join(_type(one) for one in either if one.get("type") != "null") + _default(schema)
    if schema.get("type") == "array":
        elements = ", ".join(_type(one) for one in schema.get("prefixItems", ()))
        return f"[{elements}]" if elements else f"list of {_type(schema['items'])}{_bounds(schema)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of id to {_type(schema['additionalProperties'])}"
    return f"{schema.get('type', 'anything')}{_bounds(schema)}{_default(schema)}"


def _bounds(schema: Schema) -> str:
    names = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "minimum length",
        "maxLength": "maximum length",
        "maxItems": "maximum number of items",
        "pattern": "matching",
    }
    given = [f"{words} `{schema[name]}`" for name, words in names.items() if name in schema]
    return f", {', '.join(given)}" if given else ""


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}) else f", by default `{str(default).lower()}`"
