"""Errors, as callers receive them."""

from typing import Annotated

from pydantic import Field

from darkroom.domain.errors import Contention, DarkroomError, RequestError, tree
from darkroom.wire.model import Wire

_KINDS: list[type[DarkroomError]] = [DarkroomError, *tree(RequestError)[1:], *tree(Contention)]
CODES = [kind.code for kind in _KINDS]
"""Codes that a problem of the API can have."""


class GatewayMessage(Wire):
    """An error that API Gateway itself returns, before it calls a function."""

    message: str


class ProblemField(Wire):
    """One wrong field of a request."""

    field: str
    message: str


class Problem(Wire):
    """An error, as RFC 9457 problem details. `code` is stable. `detail` is for people and may change."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Field(json_schema_extra={"enum": CODES})]
    errors: list[ProblemField] | None = None
