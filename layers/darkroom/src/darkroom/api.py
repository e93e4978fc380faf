"""The HTTP edge: bodies in, JSON out, and one table from error to status."""

import base64
import functools
import inspect
import re
from collections.abc import Callable, Container, Mapping
from http import HTTPStatus
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from darkroom.adapters.aws_errors import is_passing
from darkroom.domain import errors
from darkroom.domain.access import Access, Scope
from darkroom.domain.case import is_id
from darkroom.domain.job import Job
from darkroom.wire.calls import AcceptedView, JobView
from darkroom.wire.entity_tags import EntityTag, is_known, named_states
from darkroom.wire.model import dump, parse
from darkroom.wire.problems import Problem, ProblemField

STATUS: Mapping[type[errors.DarkroomError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.BadSignature: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.DailyLimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.JobNotFound: HTTPStatus.NOT_FOUND,
    errors.DeliveryNotFound: HTTPStatus.NOT_FOUND,
    errors.ImageNotFound: HTTPStatus.NOT_FOUND,
    errors.RouteNotFound: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.CaseConflict: HTTPStatus.CONFLICT,
    errors.JobOpen: HTTPStatus.CONFLICT,
    errors.StillStopping: HTTPStatus.CONFLICT,
    errors.NothingToRetry: HTTPStatus.CONFLICT,
    errors.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    errors.Cancelled: HTTPStatus.CONFLICT,
    errors.Superseded: HTTPStatus.CONFLICT,
    errors.BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.CaseTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.Contention: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DarkroomError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest base class counts. Every class a handler can raise is named."""

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

WEBHOOK_PATH = "/api/webhook/image-progress"
"""Where a worker sends its snapshots, after the base URL."""

type Headers = dict[str, str | list[str]]
type _Handler = Callable[..., Response[str]]


class _Resolver(APIGatewayHttpResolver):
    """Resolves HEAD as GET without the body, and paths behind the one at which callers reach the API."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Return the answer to an HTTP API's event."""
        request = event["requestContext"]
        method, path = request["http"]["method"], event["rawPath"]
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path.removeprefix(self._prefix)
        http = request["http"] | {"method": "GET" if method == "HEAD" else method, "path": path}
        answered = super().resolve(
            {**event, "rawPath": path, "requestContext": {**request, "http": http}}, context
        )
        return answered | ({"body": "", "isBase64Encoded": False} if method == "HEAD" else {})


def resolver(logger: Logger, public_url: str) -> APIGatewayHttpResolver:
    """Return a resolver that answers every error as a problem.

    A path in `public_url` is in front of every route.
    """
    app = _Resolver(urlsplit(public_url).path.rstrip("/"))
    app.use([check_path])

    @app.exception_handler(errors.DarkroomError)
    def known(error: errors.DarkroomError) -> Response[str]:
        return problem(error)

    @app.exception_handler(Exception)
    def unknown(error: Exception) -> Response[str]:
        logger.error("unexpected_error", error=type(error).__name__, exc_info=error)
        if is_passing(error):
            return problem(errors.Busy("AWS has no capacity now; send the request again"))
        return problem(errors.DarkroomError("an unexpected error; it was logged"))

    @app.not_found
    def not_found(_: Exception) -> Response[str]:
        return problem(errors.RouteNotFound("no route has this path and method"))

    return app


_NOT_FOUND: Mapping[str, Callable[[], errors.DarkroomError]] = {
    "caseId": lambda: errors.JobNotFound("no job exists for this case"),
    "shotId": errors.ImageNotFound,
    "version": lambda: errors.DeliveryNotFound("there is no such delivery"),
}
_FORMS: Mapping[str, Callable[[str], object]] = {
    "caseId": is_id,
    "shotId": is_id,
    "version": re.compile("[1-9][0-9]{0,8}").fullmatch,
}


def check_path(app: APIGatewayHttpResolver, handler: Callable[[APIGatewayHttpResolver], Any]) -> Any:
    """Let no parameter of a path through that cannot name anything: before anything is looked up.

    The answer is that of a request for what does not exist: of what the path names last.
    """
    parameters = {n: text for n, text in app.request.path_parameters.items() if n in _FORMS}
    if not all(_FORMS[name](text) for name, text in parameters.items()):
        error = _NOT_FOUND[list(parameters)[-1]]()
        raise error
    return handler(app)


type Check = Callable[[Mapping[str, str], bytes], None]
"""Looks at headers (in lower case) and body before the body is parsed; raises what is wrong."""


def needs(app: APIGatewayHttpResolver, scope: Scope) -> Callable[[_Handler], _Handler]:
    """Let in only who has `scope`, for the case in the path if there is one; raises Forbidden.

    Checked here because the gateway keeps an authorizer's answer for all routes and cases, and first
    of all, so that a refusal tells nothing.
    """

    def decorate(handler: _Handler) -> _Handler:
        @functools.wraps(handler)
        def checked(**path: str) -> Response[str]:
            access(app.current_event).check(scope, path.get("caseId"))
            return handler(**path)

        return checked

    return decorate


def access(event: APIGatewayProxyEventV2) -> Access:
    """What the authorizer found; an event that it has not seen allows nothing."""
    found = event["requestContext"].get("authorizer", {}).get("lambda") or {}
    return Access(
        caller=found.get("caller", ""),
        scopes=frozenset(Scope(each) for each in found.get("scopes", "").split()),
        case_id=found.get("caseId") or None,
    )


def budget(event: APIGatewayProxyEventV2, micro_usd: int | None) -> int | None:
    """`micro_usd`, which only who may submit can give: a guest raises no limit. Raises Forbidden."""
    if micro_usd is not None:
        access(event).check(Scope.SUBMIT)
    return micro_usd


def with_body(
    app: APIGatewayHttpResolver, limit: int, check: Check | None = None
) -> Callable[[_Handler], _Handler]:
    """Pass the request's JSON body, checked, as the handler's parameter `body`.

    The handler keeps its signature for the OpenAPI description. Powertools' own validation would
    import its OpenAPI models at start-up, which costs as much as half of boto3.
    """

    def decorate(handler: _Handler) -> _Handler:
        model: type[BaseModel] = get_type_hints(handler)["body"]

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            event = app.current_event
            body = body_bytes(event, limit)
            if check:
                check({name.lower(): value for name, value in event.headers.items()}, body)
            return handler(**path, body=parse(model, body or b"{}"))

        return parsed

    return decorate


def with_query(app: APIGatewayHttpResolver) -> Callable[[_Handler], _Handler]:
    """Pass the query parameters named by the handler's parameters that have a default.

    A default of False makes it one that is `true` or `false`.
    """

    def decorate(handler: _Handler) -> _Handler:
        parameters = inspect.signature(handler).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}

        @functools.wraps(handler)
        def parsed(**path: str) -> Response[str]:
            query = app.current_event.query_string_parameters or {}
            given = {name: query[name] for name in defaults if name in query}
            read = {n: _flag(n, text) if defaults[n] is False else text for n, text in given.items()}
            return handler(**path, **(defaults | read))

        return parsed

    return decorate


def choice[T](name: str, text: str, options: Mapping[str, T]) -> T:
    """What the query parameter `name` chooses; raises InvalidInput naming the options."""
    if text not in options:
        allowed = ", ".join(options)
        raise errors.InvalidInput(f"{name} must be one of {allowed}", [errors.FieldError(name, allowed)])
    return options[text]


def _flag(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise errors.InvalidInput(f"{name} must be true or false", [errors.FieldError(name, "true or false")])
    return text == "true"


def body_bytes(event: APIGatewayProxyEventV2, limit: int) -> bytes:
    """The raw body; raises BodyTooLarge over `limit` bytes, InvalidInput when it cannot be decoded."""
    text = event.body or ""
    try:
        body = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode()
    except ValueError:  # binascii.Error and UnicodeEncodeError: the second would quote the body
        raise errors.InvalidInput("the body cannot be decoded") from None
    if len(body) > limit:
        raise errors.BodyTooLarge(f"the body has {len(body)} bytes; at most {limit} are allowed")
    return body


def base_url(app: APIGatewayHttpResolver, public_url: str) -> str:
    """Where callers reach this API, without a slash at the end: there, or where the request came to."""
    return (public_url or f"https://{app.current_event.request_context.domain_name}").rstrip("/")


def accepted(
    job: Job, image: "ImageForm", base: str, status: HTTPStatus, **addresses: str | None
) -> Response[str]:
    """`job` to the caller who asked for something, and the `addresses` at which it can be followed."""
    location = f"{base}/api/cases/{job.case_id}/image-job"
    view = AcceptedView.of(job, image).model_copy(update=addresses)
    return answer(view, status, {"Location": location, **_headers(job, LINKS)})


def answer(
    view: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: Headers | None = None
) -> Response[str]:
    """`view` as JSON."""
    return Response(status, content_type=JSON, body=dump(view), headers=headers)


def status_of(kind: type[errors.DarkroomError]) -> HTTPStatus:
    """Return the status of the answer to an error of this class."""
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def problem(error: errors.DarkroomError) -> Response[str]:
    """`error` as RFC 9457 problem details."""
    status = status_of(type(error))
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
    if isinstance(error, errors.StillStopping | errors.DailyLimitReached):
        headers["Retry-After"] = str(error.seconds)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return Response(status, content_type=PROBLEM_JSON, body=dump(body), headers=headers)


def redirect(address: str, *, keep_s: int) -> Response[str]:
    """To `address`; whoever asked may keep the answer for `keep_s` seconds, nobody else."""
    headers: Headers = {"Location": address, "Cache-Control": f"private, max-age={keep_s}"}
    return Response(HTTPStatus.FOUND, body="", headers=headers)


type ImageForm = Callable[[str], str]
"""What stands for the picture of a shot."""


def job_answer(
    event: APIGatewayProxyEventV2, job: Job, form: str, view: Callable[[], JobView]
) -> Response[str]:
    """`job` in `form`, or 304 when the client has it in this form already."""
    headers = _headers(job, form)
    if is_known(event.headers.get("if-none-match"), _tag(job, form)):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    return answer(view(), headers=headers)


LINKS = "links"
"""The form of a job whose pictures are links."""


def _tag(job: Job, form: str) -> EntityTag:
    return EntityTag(f"{job.tag}.{form}")


def _headers(job: Job, form: str) -> Headers:
    """What a client needs to ask again: which state it has, and when to ask."""
    headers: Headers = {"ETag": str(_tag(job, form)), "Cache-Control": "no-cache"}
    if job.is_open:
        headers["Retry-After"] = "2" if job.waiting_until is None else "15"
    return headers


def seen(event: APIGatewayProxyEventV2) -> Container[str] | None:
    """The states of the job that the request's `If-Match` names, whatever form of them was fetched.

    Raises InvalidInput when it cannot be read: a condition that guards money must not be ignored.
    """
    try:
        return named_states(event.headers.get("if-match"))
    except ValueError as error:
        raise errors.InvalidInput(f"If-Match {error}", [errors.FieldError("If-Match", str(error))]) from None
