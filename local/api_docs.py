"""Writes the API's reference for people from its OpenAPI description."""

from collections.abc import Iterator
from typing import Any

from darkroom.api import responses
from darkroom.domain.errors import DarkroomError, RequestError, ShotError, tree
from darkroom.wire.problems import CODES

type Schema = dict[str, Any]

HEAD = """# API reference

Written by `make openapi` from the handlers; `GET /api/openapi.json` has the same for programs.
How to use it: [clients.md](../guides/clients.md).

Every error of Darkroom is a [Problem](#problem) (`application/problem+json`) with a stable `code`; what API
Gateway itself answers (401, some 403, 413, 429, 503) is a [GatewayMessage](#gatewaymessage). What each code
means and what to do about it: [Codes](#codes). Times are epoch milliseconds, money is US dollars.

Every GET route takes HEAD too: the same status and headers, without the body.

`If-None-Match` and `If-Match` take every form of RFC 9110: one tag or several, weak ones, `*`.
`If-None-Match` is compared weakly; one that cannot be read is ignored. `If-Match` is compared strongly, so a
weak tag matches nothing; one that cannot be read is refused with 400, because it guards money. It takes the
`ETag` of any answer with the job, in either form, or `"{jobId}.{version}"`.
"""

CODES_HEAD = """## Codes

Codes are stable; a later release may add some. Messages are for people and may change.
"""


def reference(described: dict[str, Any]) -> str:
    """The reference of the API that `described` is the OpenAPI description of, as Markdown."""
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
    """Every code that a caller can see, from the classes of domain/errors.py."""
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
    """The first sentence of the class's description."""
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
        needed = "" if operation["requestBody"].get("required") else " (may be left out)"
        yield f"- body: {_type(content['schema'])}{needed}"
    for status, answer in sorted(operation["responses"].items()):
        schemas = [content["schema"] for content in answer.get("content", {}).values()]
        shown = [_type(schema) for schema in schemas if "$ref" in schema]
        yield f"- {status}: {answer['description']}" + (f"; {' or '.join(shown)}" if shown else "")
    yield ""


def _schema(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield schema["description"].replace("\n\n", " ") + "\n"
    if "properties" not in schema:
        yield f"{_type(schema)}\n"
        return
    yield "| field | is |\n| --- | --- |"
    for field, of in schema["properties"].items():
        missing = "" if field in schema.get("required", []) else " (may be missing)"
        yield f"| `{field}` | {_type(of)}{missing} |"
    yield ""


def _type(schema: Schema) -> str:
    """What a value of this schema is, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"]) + _default(schema)
    either = schema.get("anyOf") or schema.get("allOf")
    if either:
        return " or ".join(_type(one) for one in either if one.get("type") != "null") + _default(schema)
    if schema.get("type") == "array":
        places = ", ".join(_type(one) for one in schema.get("prefixItems", ()))
        return f"[{places}]" if places else f"list of {_type(schema['items'])}{_bounds(schema)}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of id to {_type(schema['additionalProperties'])}"
    return f"{schema.get('type', 'anything')}{_bounds(schema)}{_default(schema)}"


def _bounds(schema: Schema) -> str:
    names = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "at least this long:",
        "maxLength": "at most this long:",
        "maxItems": "at most so many:",
        "pattern": "matching",
    }
    given = [f"{words} `{schema[name]}`" for name, words in names.items() if name in schema]
    return f", {', '.join(given)}" if given else ""


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}) else f", by default `{str(default).lower()}`"
