"""What the API offers as a whole, from its OpenAPI description: which paths and methods exist."""

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
    """`path` is the description's file, written by `make openapi` from the handlers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def install(self, app: APIGatewayHttpResolver) -> None:
        """Serve the description, and answer with a problem whatever no route of `app` takes."""

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
        return {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))): tuple(
                sorted({method.upper() for method in methods} | ({"HEAD"} if "get" in methods else set()))
            )
            for path, methods in paths.items()
        }

    def _error(self, path: str, method: str) -> DarkroomError:
        """Why a request reached no route: `path` does not exist, or not with this `method`.

        Or it holds an id of characters that no id has, which the routes do not even match.
        """
        for pattern, methods in self._methods.items():
            if pattern.fullmatch(path) and method not in methods:
                return MethodNotAllowed(f"this path allows {', '.join(methods)}", methods)
        return RouteNotFound("no route has this path; the routes are in /api/openapi.json")
