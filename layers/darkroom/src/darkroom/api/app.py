"""The router of a function behind the API: every error becomes a problem, every odd path a 404."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from darkroom.adapters.aws_errors import is_passing
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
"""Path to which a worker sends its snapshots, after the base URL."""


class _Resolver(APIGatewayHttpResolver):
    """Resolve HEAD as GET without the body, and remove the path of the public URL from the request's."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Return the response to an event of an HTTP API."""
        request = event["requestContext"]
        method = request["http"]["method"]
        path = event["rawPath"]
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix)
        http = request["http"] | {"method": "GET" if method == "HEAD" else method, "path": path}
        response = super().resolve(
            {**event, "rawPath": path, "requestContext": {**request, "http": http}}, context
        )
        return response | ({"body": "", "isBase64Encoded": False} if method == "HEAD" else {})


def resolver(logger: Logger, public_url: str) -> APIGatewayHttpResolver:
    """Return a router that returns every error as a problem.

    A path in `public_url` comes before the path of every route.
    """
    app = _Resolver(urlsplit(public_url).path.rstrip("/"))
    app.use([_check_path])

    @app.exception_handler(DarkroomError)
    def known(error: DarkroomError) -> Response[str]:
        return problem(error)

    @app.exception_handler(Exception)
    def unknown(error: Exception) -> Response[str]:
        logger.error("unexpected_error", error=type(error).__name__, exc_info=error)
        if is_passing(error):
            return problem(Busy("AWS has no capacity now; send the request again"))
        return problem(DarkroomError("an unexpected error; it was logged"))

    @app.not_found
    def not_found(_: Exception) -> Response[str]:
        return problem(RouteNotFound("no route has this path and method"))

    return app


def base_url(app: APIGatewayHttpResolver, public_url: str) -> str:
    """Return the public URL, or the one the request came to, without a slash at the end."""
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
    """Refuse a path with a parameter that cannot name anything, before anything is looked up.

    The response is that to a request for what does not exist, decided by the path's last parameter.
    """
    parameters = {n: text for n, text in app.request.path_parameters.items() if n in _FORMS}
    if not all(_FORMS[name](text) for name, text in parameters.items()):
        error = _NOT_FOUND[list(parameters)[-1]]()
        raise error
    return handler(app)
