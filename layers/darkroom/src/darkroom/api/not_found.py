"""The responses to requests that no route accepts: 404, or 405 with the methods of the path."""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from darkroom.api import openapi, responses
from darkroom.domain.errors import DarkroomError, MethodNotAllowed, RouteNotFound


class Routes:
    """The paths and methods of the API, read from its OpenAPI description.

    `path` is the description's file, which `make openapi` writes from the handlers.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def install(self, app: APIGatewayHttpResolver) -> None:
        """Serve the description, and return a problem for every request that no route of `app` accepts."""

        @app.get("/api/openapi.json", **openapi.OPENAPI)
        def description() -> Response[str]:
            return Response(HTTPStatus.OK, content_type=responses.JSON, body=self._text)

        @app.not_found
        def no_route(_: Exception) -> Response[str]:
            event = app.current_event
            return responses.problem(self._error(event.path, event.http_method))

    @cached_property
    def _text(self) -> str:
        return self._path.read_text()

    @cached_property
    def _methods(self) -> Mapping[re.Pattern[str], tuple[str, ...]]:
        paths: dict[str, dict[str, Any]] = json.loads(self._text)["paths"]
        return {_pattern(path): _methods_with_head(operations) for path, operations in paths.items()}

    def _error(self, path: str, method: str) -> DarkroomError:
        """Return why no route matched: `path` does not exist, or it does not have this `method`.

        A known path and method reach this code too, if an id has characters that no id can have.
        """
        for pattern, methods in self._methods.items():
            if pattern.fullmatch(path) and method not in methods:
                return MethodNotAllowed(f"this path allows {', '.join(methods)}", methods)
        return RouteNotFound("no route has this path; the routes are in /api/openapi.json")


def _pattern(path: str) -> re.Pattern[str]:
    """Return a pattern that matches `path` with any text in place of its parameters."""
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def _methods_with_head(operations: Mapping[str, Any]) -> tuple[str, ...]:
    methods = {method.upper() for method in operations}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted(methods))
