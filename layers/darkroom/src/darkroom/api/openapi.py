"""The OpenAPI description of each route: keyword arguments for the decorator of its handler."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from darkroom.api.responses import JSON, PROBLEM_JSON, status_of
from darkroom.domain import errors
from darkroom.wire.callbacks import CallbackSecretView, DeliveriesView, DeliveryView
from darkroom.wire.job import AcceptedView, ImageStatusView, JobView
from darkroom.wire.metrics import MetricsView
from darkroom.wire.problems import GatewayMessage, Problem
from darkroom.wire.requests import RequestView
from darkroom.wire.snapshot import Received
from darkroom.wire.timeline import TimelineView

BEARER = "bearer"
"""Name of the security scheme."""


def _responses(
    successes: Mapping[HTTPStatus, tuple[str, type[BaseModel] | None]],
    problems: Sequence[type[errors.DarkroomError]] = (),
) -> dict[int, Any]:
    """Return the description of a route's responses: its successes, and the problems it raises."""
    described = {int(status): _success(text, model) for status, (text, model) in successes.items()}
    raised: list[type[errors.DarkroomError]] = [*problems, errors.DarkroomError]
    codes: dict[int, list[str]] = {}
    for error in raised:
        codes.setdefault(int(status_of(error)), []).append(f"`{error.code}`")
    for status, names in codes.items():
        described[status] = {
            "description": f"Problem {' or '.join(names)}",
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return described


def _success(text: str, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": text}
    return {"description": text, "content": {JSON: {"model": model}}}


def _static(*media: str, problems: Sequence[type[errors.DarkroomError]] = ()) -> dict[int, Any]:
    """Return the description of the responses of a route that serves files."""
    others = _responses({HTTPStatus.NOT_MODIFIED: ("The file has not changed", None)}, problems)
    text = {"schema": {"type": "string"}}
    return {200: {"description": "The file", "content": dict.fromkeys(media, text)}, **others}


def _for_callers(description: dict[str, Any]) -> dict[str, Any]:
    """Add to the `description` of a route that needs a token the gateway's own responses to a bad token."""
    gateway = {JSON: {"model": GatewayMessage}}
    responses = dict(description["responses"])
    forbidden = responses.get(403, {"description": "", "content": {}})
    responses[401] = {"description": "The request has no token", "content": gateway}
    responses[403] = {
        "description": f"The token is unknown, expired or revoked. {forbidden['description']}".strip(),
        "content": gateway | forbidden["content"],
    }
    return {**description, "responses": responses, "security": [{BEARER: []}]}


SUBMIT: dict[str, Any] = _for_callers(
    {
        "summary": "Submit a case",
        "description": "Returns at once; the pictures are made in the background. Submitting the same case"
        " again returns the existing job. Another body with the same `caseId` is a conflict, unless the job"
        " has ended and `replace=true`. With `If-Match`, the job is replaced only in a state that the header"
        " names. The response has the `ETag` and the `Retry-After` for the first poll."
        " `shareUrl` is for people: it opens the web page of this case. With `share=retry` it also allows"
        " them to retry failed pictures.",
        "responses": _responses(
            {
                HTTPStatus.ACCEPTED: ("The job was created", AcceptedView),
                HTTPStatus.OK: ("The case was submitted before", AcceptedView),
            },
            [
                errors.InvalidInput,
                errors.Forbidden,
                errors.DailyLimitReached,
                errors.CaseConflict,
                errors.JobOpen,
                errors.StillStopping,
                errors.StaleVersion,
                errors.BodyTooLarge,
                errors.CaseTooLarge,
                errors.Contention,
                errors.Busy,
            ],
        ),
    }
)
RETRY: dict[str, Any] = _for_callers(
    {
        "summary": "Retry the shots without a picture",
        "description": "The body can give some shots another description. With `If-Match`, the job is"
        " retried only in a state that the header names: a request that is sent twice then cannot pay twice."
        " A retry counts towards the daily limit like a new case if the job was cancelled, or if it has paid"
        " for requests without a picture since its last retry. Over the limit the response is 429"
        " `daily_limit`. A share link can retry a job three times; a retry with the scope `submit` resets"
        " the count. It cannot retry a cancelled job. The response to both is 403 `forbidden`."
        " A retry by a share link counts towards the daily limit of the case's submitter.",
        "responses": _responses(
            {HTTPStatus.ACCEPTED: ("The job is pending again", AcceptedView)},
            [
                errors.InvalidInput,
                errors.Forbidden,
                errors.DailyLimitReached,
                errors.JobNotFound,
                errors.JobOpen,
                errors.StillStopping,
                errors.NothingToRetry,
                errors.StaleVersion,
                errors.BodyTooLarge,
                errors.CaseTooLarge,
                errors.Contention,
                errors.Busy,
            ],
        ),
    }
)
CANCEL: dict[str, Any] = _for_callers(
    {
        "summary": "Cancel a job",
        "description": "Pictures made so far are kept. A job that has already ended does not change."
        " With `If-Match`, the job is cancelled only in a state that the header names.",
        "responses": _responses(
            {HTTPStatus.OK: ("The job", AcceptedView)},
            [
                errors.InvalidInput,
                errors.Forbidden,
                errors.JobNotFound,
                errors.StaleVersion,
                errors.Contention,
                errors.Busy,
            ],
        ),
    }
)
JOB: dict[str, Any] = _for_callers(
    {
        "summary": "The job of a case",
        "description": "Wait for `Retry-After` seconds between two polls. With `If-None-Match`, the response"
        " to an unchanged job is 304. With `images=inline`, pictures are `data:` URLs instead of links, up to"
        " the size limit of a response. `linkedIds` names the pictures that are links nevertheless.",
        "responses": _responses(
            {HTTPStatus.OK: ("The job", JobView), HTTPStatus.NOT_MODIFIED: ("The job has not changed", None)},
            [errors.InvalidInput, errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
REQUEST: dict[str, Any] = _for_callers(
    {
        "summary": "The submitted request, with every item's description",
        "description": "Includes the changes of the latest retry. Needs the scope `retry` or `submit`.",
        "responses": _responses(
            {HTTPStatus.OK: ("The request", RequestView)}, [errors.Forbidden, errors.JobNotFound, errors.Busy]
        ),
    }
)
TIMELINE: dict[str, Any] = _for_callers(
    {
        "summary": "The timeline of a case: what happened, and when",
        "description": "The history of the job, and the events of each run: every attempt at every shot,"
        " waits, batches and snapshots. Events that a worker has not yet sent are missing.",
        "responses": _responses(
            {HTTPStatus.OK: ("The timeline", TimelineView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
CALLBACKS: dict[str, Any] = _for_callers(
    {
        "summary": "The callbacks of a case, and the responses of its receiver",
        "responses": _responses(
            {HTTPStatus.OK: ("The latest deliveries", DeliveriesView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
REPLAY: dict[str, Any] = _for_callers(
    {
        "summary": "Send a delivery again",
        "description": "Sends the same body with the same `webhook-id`, so that the receiver recognizes it.",
        "responses": _responses(
            {HTTPStatus.ACCEPTED: ("The delivery, due now", DeliveryView)},
            [errors.Forbidden, errors.JobNotFound, errors.DeliveryNotFound, errors.Contention, errors.Busy],
        ),
    }
)
CALLBACK_SECRET: dict[str, Any] = _for_callers(
    {
        "summary": "The secrets with which the caller verifies its callbacks",
        "description": "Secrets of Standard Webhooks 1.0. There are several during a rotation.",
        "responses": _responses(
            {HTTPStatus.OK: ("The caller's own secrets", CallbackSecretView)}, [errors.Forbidden, errors.Busy]
        ),
    }
)
IMAGE_STATUS: dict[str, Any] = _for_callers(
    {
        "summary": "The status of a job, as old clients read it",
        "responses": _responses(
            {HTTPStatus.OK: ("The status", ImageStatusView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
METRICS: dict[str, Any] = _for_callers(
    {
        "summary": "The metrics of the deployment",
        "description": "Every change of a job is counted, after a few seconds.",
        "responses": _responses(
            {HTTPStatus.OK: ("The metrics of the window", MetricsView)},
            [errors.InvalidInput, errors.Forbidden, errors.Busy],
        ),
    }
)
PAGE: dict[str, Any] = {
    "summary": "The web page of a case: open it with a share link",
    "responses": _static("text/html", problems=[errors.JobNotFound]),
}
ASSET: dict[str, Any] = {
    "summary": "A file of the web page",
    "responses": _static("text/css", "text/javascript", problems=[errors.RouteNotFound]),
}
IMAGE: dict[str, Any] = {
    "summary": "A picture: follow the signed links in the job",
    "responses": _responses(
        {HTTPStatus.FOUND: ("Redirect to the JPEG, valid for five minutes", None)},
        [errors.ImageNotFound, errors.Busy],
    ),
}
SNAPSHOT: dict[str, Any] = {
    "summary": "Receive a worker's snapshot",
    "description": "Signed as in Standard Webhooks 1.0. A repeated or late snapshot changes nothing.",
    "responses": _responses(
        {HTTPStatus.OK: ("Applied, or already known", Received)},
        [
            errors.InvalidInput,
            errors.BadSignature,
            errors.JobNotFound,
            errors.Superseded,
            errors.Cancelled,
            errors.BodyTooLarge,
            errors.CaseTooLarge,
            errors.Contention,
            errors.Busy,
        ],
    ),
}
OPENAPI: dict[str, Any] = _for_callers(
    {
        "summary": "The OpenAPI description of this API",
        "responses": {200: {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}},
    }
)
