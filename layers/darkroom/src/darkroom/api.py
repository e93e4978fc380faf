"""The HTTP edge: bodies in, JSON out, and one table from error to status."""

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, get_type_hints

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from darkroom.domain import errors
from darkroom.domain.job import Job
from darkroom.wire import Problem, ProblemField, dump, parse

STATUS: Mapping[type[errors.DarkroomError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.BadSignature: HTTPStatus.UNAUTHORIZED,
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.ImageNotFound: HTTPStatus.NOT_FOUND,
    errors.RouteNotFound: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.CaseConflict: HTTPStatus.CONFLICT,
    errors.Superseded: HTTPStatus.CONFLICT,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Contention: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DarkroomError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest base class counts. Every class a handler can raise is named."""

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

type Headers = dict[str, str | list[str]]


def resolver(logger: Logger) -> APIGatewayHttpResolver:
    """A resolver that answers every error as a problem."""
    app = APIGatewayHttpResolver()

    @app.exception_handler(errors.DarkroomError)
    def known(error: errors.DarkroomError) -> Response[str]:
        return problem(error)

    @app.exception_handler(Exception)
    def unknown(error: Exception) -> Response[str]:
        logger.exception("unexpected_error", error=type(error).__name__)
        return problem(errors.DarkroomError("an unexpected error; it was logged"))

    @app.not_found
    def not_found(_: Exception) -> Response[str]:
        return problem(errors.RouteNotFound("no route has this path and method"))

    return app


type Check = Callable[[Mapping[str, str], bytes], None]
"""Looks at headers (in lower case) and body before the body is parsed; raises what is wrong."""


def with_body(
    app: APIGatewayHttpResolver, limit: int, check: Check = lambda headers, body: None
) -> Callable[[Callable[..., Response[str]]], Callable[..., Response[str]]]:
    """Pass the request's JSON body, checked, as the handler's parameter `body`.

    The handler keeps its signature for the OpenAPI description. Powertools' own validation would
    import its OpenAPI models at start-up, which costs as much as half of boto3.
    """

    def decorate(handler: Callable[..., Response[str]]) -> Callable[..., Response[str]]:
        model: type[BaseModel] = get_type_hints(handler)["body"]

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            event = app.current_event
            body = body_bytes(event, limit)
            check({name.lower(): value for name, value in event.headers.items()}, body)
            return handler(**path, body=parse(model, body))

        return parsed

    return decorate


def body_bytes(event: APIGatewayProxyEventV2, limit: int) -> bytes:
    """The raw body; raises BodyTooLarge over `limit` bytes."""
    text = event.body or ""
    body = base64.b64decode(text) if event.is_base64_encoded else text.encode()
    if len(body) > limit:
        raise errors.BodyTooLarge(f"the body has {len(body)} bytes; at most {limit} are allowed")
    return body


def base_url(event: APIGatewayProxyEventV2, public_url: str) -> str:
    """Where callers reach this API, without a slash at the end."""
    return (public_url or f"https://{event.request_context.domain_name}").rstrip("/")


def answer(
    view: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: Headers | None = None
) -> Response[str]:
    """`view` as JSON."""
    return Response(status, content_type=JSON, body=dump(view), headers=headers)


def problem(error: errors.DarkroomError) -> Response[str]:
    """`error` as RFC 9457 problem details."""
    status = next(STATUS[base] for base in type(error).__mro__ if base in STATUS)
    fields = error.errors if isinstance(error, errors.InvalidInput) else ()
    body = Problem(
        type=f"urn:darkroom:problem:{error.code}",
        title=status.phrase,
        status=status,
        detail=str(error),
        code=error.code,
        errors=[ProblemField(field=f.field, message=f.message) for f in fields] or None,
    )
    headers: Headers = {}
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(status, content_type=PROBLEM_JSON, body=dump(body), headers=headers)


def described(
    answers: Mapping[HTTPStatus, tuple[str, type[BaseModel] | None]],
    problems: Sequence[type[errors.DarkroomError]] = (),
) -> dict[int, Any]:
    """A route's answers for the OpenAPI description: those of its own, and the problems it raises."""
    responses: dict[int, Any] = {
        int(status): {
            "description": text,
            **({"content": {JSON: {"model": model}}} if model else {}),
        }
        for status, (text, model) in answers.items()
    }
    for error in (*problems, errors.DarkroomError):
        responses[int(STATUS[error])] = {
            "description": f"Problem `{error.code}`",
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return responses


def polling(job: Job) -> Headers:
    """What tells a client when to ask again, and whether anything has changed since."""
    headers: Headers = {"ETag": f'"{job.job_id}.{job.version}"', "Cache-Control": "no-cache"}
    if job.is_open:
        headers["Retry-After"] = "2"
    return headers


def unchanged(event: APIGatewayProxyEventV2, headers: Headers) -> bool:
    """Whether the client's `If-None-Match` names the `ETag` in `headers`."""
    known = {tag.strip().removeprefix("W/") for tag in event.headers.get("if-none-match", "").split(",")}
    return headers["ETag"] in known
