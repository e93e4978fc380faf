"""The router of a function behind the API. It returns errors as problems and unknown paths as 404."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from darkroom.adapters.aws_errors import is_temporary
from darkroom.api.responses import problem
from darkroom.domain.case import is_id
from darkroom.domain.errors import (
    Busy,
    DarkroomError,
    DeliveryNotFound,
    ImageNotFound,
    JobNotFound,
    RouteNotFound,
)

WEBHOOK_PATH = "/api/webhook/image-progress"
"""Path of the webhook below the base URL. Workers send their snapshots to it."""


class _Resolver(APIGatewayHttpResolver):
    """A resolver that treats HEAD as GET without a body.

    It removes the path of the public URL from the beginning of each request's path.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Return the response to an event of an HTTP API."""
        request_context = event["requestContext"]
        method = request_context["http"]["method"]
        path = event["rawPath"]
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix)
        http = request_context["http"] | {"method": "GET" if method == "HEAD" else method, "path": path}
        routed = {**event, "rawPath": path, "requestContext": {**request_context, "http": http}}
        response = super().resolve(routed, context)
        if method == "HEAD":
            return response | {"body": "", "isBase64Encoded": False}
        return response


def resolver(logger: Logger, public_url: str) -> APIGatewayHttpResolver:
    """Return a router that returns every error as a problem.

    If `public_url` has a path, it precedes the path of every route.
    """
    app = _Resolver(urlsplit(public_url).path.rstrip("/"))
    app.use([_check_path])

    @app.exception_handler(DarkroomError)
    def known(error: DarkroomError) -> Response[str]:
        return problem(error)

    @app.exception_handler(Exception)
    def unknown(error: Exception) -> Response[str]:
        logger.error("unexpected_error", error=type(error).__name__, exc_info=error)
        if is_temporary(error):
            return problem(Busy("AWS has no capacity at the moment; send the request again"))
        return problem(DarkroomError("an unexpected error occurred and was logged"))

    @app.not_found
    def not_found(_: Exception) -> Response[str]:
        return problem(RouteNotFound("no route has this path and method"))

    return app


def base_url(app: APIGatewayHttpResolver, public_url: str) -> str:
    """Return the public URL, or if there is none the URL of the request's host, without a trailing slash."""
    return (public_url or f"https://{app.current_event.request_context.domain_name}").rstrip("/")


_NOT_FOUND: Mapping[str, Callable[[], DarkroomError]] = {
    "caseId": lambda: JobNotFound("no job exists for this case"),
    "shotId": ImageNotFound,
    "version": lambda: DeliveryNotFound("there is no such delivery"),
}
_FORMS: Mapping[str, Callable[[str], object]] = {
    "caseId": is_id,
    "shotId": is_id,
    "version": re.compile("[1-9][0-9]{0,8}").fullmatch,
}


def _check_path(app: APIGatewayHttpResolver, handler: Callable[[APIGatewayHttpResolver], Any]) -> Any:
    """Raise a not-found error for a malformed path parameter, without reading the table.

    The last parameter of the path decides which error: the one raised for an id that does not exist.
    """
    parameters = {name: text for name, text in app.request.path_parameters.items() if name in _FORMS}
    if all(_FORMS[name](text) for name, text in parameters.items()):
        return handler(app)
    last_name = list(parameters)[-1]
    error = _NOT_FOUND[last_name]()
    raise error
