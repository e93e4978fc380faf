"""Responses of the API: JSON, problems, redirects, and jobs with the headers for polling."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from pydantic import BaseModel

from darkroom.domain import errors
from darkroom.domain.job import Job
from darkroom.wire.entity_tags import EntityTag, is_known
from darkroom.wire.job import AcceptedView, JobView
from darkroom.wire.model import dump
from darkroom.wire.problems import Problem, ProblemField

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

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
"""HTTP status of each error that a handler can raise. A class that is not listed has its base class's."""

POLL_S = 2
"""Seconds that a client waits before it polls an open job again."""

POLL_WAITING_S = 15
"""Seconds that a client waits before it polls a job again that waits for the quota."""

_TRY_AGAIN_S = 1
"""Seconds that a client waits before it sends a request again after a 503."""

LINKS = "links"
"""The form of a job whose pictures are links. The other form is `inline`."""

type Headers = dict[str, str | list[str]]

type ImageForm = Callable[[str], str]
"""A function from a shot id to the address of its picture: a link or a `data:` URL."""


def respond(
    view: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: Headers | None = None
) -> Response[str]:
    """Return `view` as JSON."""
    return Response(status, content_type=JSON, body=dump(view), headers=headers)


def redirect(address: str, *, keep_s: int) -> Response[str]:
    """Return a redirect to `address`. The client may cache it for `keep_s` seconds; shared caches may not."""
    headers: Headers = {"Location": address, "Cache-Control": f"private, max-age={keep_s}"}
    return Response(HTTPStatus.FOUND, body="", headers=headers)


def status_of(kind: type[errors.DarkroomError]) -> HTTPStatus:
    """Return the HTTP status of an error of this class."""
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def problem(error: errors.DarkroomError) -> Response[str]:
    """Return `error` as RFC 9457 problem details."""
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
        headers["Retry-After"] = str(_TRY_AGAIN_S)
    return Response(status, content_type=PROBLEM_JSON, body=dump(body), headers=headers)


def job_or_not_modified(
    event: APIGatewayProxyEventV2, job: Job, form: str, view: Callable[[], JobView]
) -> Response[str]:
    """Return `job` in `form`, or 304 if `If-None-Match` names the job's state in this form."""
    headers = _polling_headers(job, form)
    if is_known(event.headers.get("if-none-match"), _tag(job, form)):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    return respond(view(), headers=headers)


def accepted(
    job: Job, image: ImageForm, base: str, status: HTTPStatus, **addresses: str | None
) -> Response[str]:
    """Return `job` to the caller who changed it, with the `addresses` where its progress can be seen."""
    location = f"{base}/api/cases/{job.case_id}/image-job"
    view = AcceptedView.of(job, image).model_copy(update=addresses)
    return respond(view, status, {"Location": location, **_polling_headers(job, LINKS)})


def _polling_headers(job: Job, form: str) -> Headers:
    """Return the headers a client needs for its next poll: `ETag` of the state, and when to poll."""
    headers: Headers = {"ETag": str(_tag(job, form)), "Cache-Control": "no-cache"}
    if job.is_open:
        headers["Retry-After"] = str(POLL_S if job.waiting_until is None else POLL_WAITING_S)
    return headers


def _tag(job: Job, form: str) -> EntityTag:
    return EntityTag(f"{job.tag}.{form}")
