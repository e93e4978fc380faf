"""How errors are said."""

from darkroom.wire.model import Wire


class GatewayMessage(Wire):
    """What API Gateway itself answers, before any function is asked."""

    message: str


class ProblemField(Wire):
    """One wrong field of a request."""

    field: str
    message: str


class Problem(Wire):
    """An error, as RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] | None = None
