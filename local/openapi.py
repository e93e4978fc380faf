"""`make openapi`: write the API's description for programs and for people from the handlers."""

import importlib
import importlib.metadata
import json
import os
from typing import Any

from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
from darkroom.api import openapi

from local import cloudformation, package
from local.api_docs import reference

TARGET = package.FUNCTIONS / "reader" / "openapi.json"
REFERENCE = package.ROOT / "docs/reference/api.md"
HANDLERS = ("initiator", "reader", "callbacks", "webhook")
_UNUSED = {"HTTPValidationError", "ValidationError", "ResponseValidationError"}
"""Schemas of Powertools' own validation, which is not used."""


def describe(apps: list[Any]) -> str:
    """Return one description of all routes of the resolvers `apps`, as JSON."""
    merged: dict[str, Any] = {}
    for app in apps:
        one = json.loads(
            app.get_openapi_json_schema(
                title="Darkroom",
                version=importlib.metadata.version("darkroom"),
                description="Makes the pictures of a mystery-game case, reliably and in the"
                " background. Every error is an RFC 9457 problem, except 401, some 403, and the gateway's own"
                ' errors under load (429, 503), which are `{"message": ...}`. Every GET route accepts HEAD'
                " too and returns the same status and headers, without the body.",
                security_schemes={
                    openapi.BEARER: HTTPBearer(
                        description="A caller's token, or the part of a share link after the #"
                    )
                },
            )
        )
        if not merged:
            merged = one
        else:
            for path, methods in one["paths"].items():
                merged["paths"].setdefault(path, {}).update(methods)
            merged["components"]["schemas"] |= one["components"]["schemas"]
    schemas = merged["components"]["schemas"]
    merged["components"]["schemas"] = {k: schemas[k] for k in sorted(schemas.keys() - _UNUSED)}
    merged["paths"] = dict(sorted(merged["paths"].items()))
    return json.dumps(merged, indent=1) + "\n"


def environment() -> dict[str, str]:
    """Return the template's variables of all functions: enough to import a handler, though not to call it."""
    template = cloudformation.load(package.ROOT / "template.yaml")
    given = {"AWS_DEFAULT_REGION": "us-east-1"}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            given |= cloudformation.variables(template, logical_id)
    return given


def main() -> None:
    """Write both files."""
    os.environ.update(environment())
    apps = [importlib.import_module(f"functions.{name}.app").app for name in HANDLERS]
    TARGET.write_text(describe(apps))
    REFERENCE.write_text(reference(json.loads(TARGET.read_text())))


if __name__ == "__main__":
    main()
