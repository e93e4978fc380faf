"""What the OpenAPI description says of each route: passed to the decorator of its handler."""

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
"""The name of the security scheme."""


def _described(
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
    codes: dict[int, list[str]] = {}
    raised: list[type[errors.DarkroomError]] = [*problems, errors.DarkroomError]
    for error in raised:
        codes.setdefault(int(status_of(error)), []).append(f"`{error.code}`")
    for status, named in codes.items():
        responses[status] = {
            "description": f"Problem {' or '.join(named)}",
            "content": {PROBLEM_JSON: {"model": Problem}},
        }
    return responses


def _static(*media: str, problems: Sequence[type[errors.DarkroomError]] = ()) -> dict[int, Any]:
    """The answers of a route that serves files."""
    answers = _described({HTTPStatus.NOT_MODIFIED: ("It has not changed", None)}, problems)
    text = {"schema": {"type": "string"}}
    return {200: {"description": "The file", "content": dict.fromkeys(media, text)}, **answers}


def _for_callers(description: dict[str, Any]) -> dict[str, Any]:
    """`description` of a route that needs a token, with what the gateway itself answers to a bad one."""
    gateway = {JSON: {"model": GatewayMessage}}
    responses = dict(description["responses"])
    forbidden = responses.get(403, {"description": "", "content": {}})
    responses[401] = {"description": "No token", "content": gateway}
    responses[403] = {
        "description": f"A token that nobody has, or has no longer. {forbidden['description']}".strip(),
        "content": gateway | forbidden["content"],
    }
    return {**description, "responses": responses, "security": [{BEARER: []}]}


SUBMIT: dict[str, Any] = _for_callers(
    {
        "summary": "Submit a case",
        "description": "Answers at once; the pictures are made in the background. The same case again"
        " answers the job there is; another body under the same caseId is a conflict, unless the job has"
        " ended and `replace=true`. `If-Match` makes the replacement depend on the state you saw."
        " The answer has the `ETag` and `Retry-After` of the job, for the first question."
        " `shareUrl` is for people: it opens the page of this case, and with `share=retry` lets them retry"
        " what failed.",
        "responses": _described(
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
        "description": "Some with another description, if the body says so. `If-Match` makes it depend on the"
        " state you saw, so that a request sent twice cannot pay twice. A retry counts to the daily limit"
        " like a new case if the job was cancelled, or has paid for requests without a picture since it was"
        " last retried: 429 `daily_limit`. A share link may retry three times, until whoever may submit"
        " retries the job, and never a job that was cancelled: 403 `forbidden`; it counts for the submitter.",
        "responses": _described(
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
        "description": "Pictures made so far stay. A job that has ended already stays as it is."
        " `If-Match` makes it depend on the state you saw.",
        "responses": _described(
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
        "description": "Poll at the pace of `Retry-After`; `If-None-Match` makes an unchanged job a 304."
        " `images=inline` gives `data:` URLs instead of links, as far as one answer has room: `linkedIds`"
        " names the pictures that are links all the same.",
        "responses": _described(
            {HTTPStatus.OK: ("The job", JobView), HTTPStatus.NOT_MODIFIED: ("It has not changed", None)},
            [errors.InvalidInput, errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
REQUEST: dict[str, Any] = _for_callers(
    {
        "summary": "What was asked for: every item with its description",
        "description": "As the latest retry has changed it. For whoever may retry.",
        "responses": _described(
            {HTTPStatus.OK: ("The request", RequestView)}, [errors.Forbidden, errors.JobNotFound, errors.Busy]
        ),
    }
)
TIMELINE: dict[str, Any] = _for_callers(
    {
        "summary": "What happened to a case, and when",
        "description": "What became of its job, and what each run did: every try of every shot, waits,"
        " batches and snapshots, as far as the workers have told.",
        "responses": _described(
            {HTTPStatus.OK: ("The timeline", TimelineView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
CALLBACKS: dict[str, Any] = _for_callers(
    {
        "summary": "What was sent to the receiver of a case, and what it answered",
        "responses": _described(
            {HTTPStatus.OK: ("The latest deliveries", DeliveriesView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
REPLAY: dict[str, Any] = _for_callers(
    {
        "summary": "Send a delivery again",
        "description": "With the same body and the same `webhook-id`, by which a receiver knows it.",
        "responses": _described(
            {HTTPStatus.ACCEPTED: ("The delivery, due now", DeliveryView)},
            [errors.Forbidden, errors.JobNotFound, errors.DeliveryNotFound, errors.Contention, errors.Busy],
        ),
    }
)
CALLBACK_SECRET: dict[str, Any] = _for_callers(
    {
        "summary": "What the asking caller verifies its callbacks with",
        "description": "Keys of Standard Webhooks 1.0; several while they are being rotated.",
        "responses": _described(
            {HTTPStatus.OK: ("The caller's own keys", CallbackSecretView)}, [errors.Forbidden]
        ),
    }
)
IMAGE_STATUS: dict[str, Any] = _for_callers(
    {
        "summary": "The status record of old clients",
        "responses": _described(
            {HTTPStatus.OK: ("The status", ImageStatusView)},
            [errors.Forbidden, errors.JobNotFound, errors.Busy],
        ),
    }
)
METRICS: dict[str, Any] = _for_callers(
    {
        "summary": "How the deployment does",
        "description": "Counted from every change of a job, a few seconds late.",
        "responses": _described(
            {HTTPStatus.OK: ("The counts of the window", MetricsView)},
            [errors.InvalidInput, errors.Forbidden, errors.Busy],
        ),
    }
)
PAGE: dict[str, Any] = {
    "summary": "The page where people watch a case: open it by a share link",
    "responses": _static("text/html", problems=[errors.JobNotFound]),
}
ASSET: dict[str, Any] = {
    "summary": "A file of that page",
    "responses": _static("text/css", "text/javascript", problems=[errors.RouteNotFound]),
}
IMAGE: dict[str, Any] = {
    "summary": "A picture: follow the links in the job, they are signed",
    "responses": _described(
        {HTTPStatus.FOUND: ("Where the JPEG is, for a short time", None)}, [errors.ImageNotFound, errors.Busy]
    ),
}
SNAPSHOT: dict[str, Any] = {
    "summary": "Take a worker's snapshot",
    "description": "Signed by Standard Webhooks 1.0. A repeated or late snapshot changes nothing.",
    "responses": _described(
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
        "summary": "This description",
        "responses": {200: {"description": "OpenAPI 3.1", "content": {JSON: {"schema": {"type": "object"}}}}},
    }
)
