"""Answers questions: the job of a case, its pictures, the API's description; and what has no route."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from darkroom import api, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs
from darkroom.adapters.image_links import ImageLinks
from darkroom.adapters.s3_images import S3Images
from darkroom.adapters.secrets import secret
from darkroom.domain import errors
from darkroom.routes import Routes
from darkroom.settings import ReaderSettings
from darkroom.wire import ImageStatusView, JobView

SETTINGS = ReaderSettings.load()
LOGGER = observability.logger("reader")
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name)
IMAGES = S3Images(aws.s3(), SETTINGS.bucket_name)
LINKS = ImageLinks(secret(SETTINGS.link_secret))
ROUTES = Routes(Path(__file__).with_name("openapi.json"))
app = api.resolver(LOGGER)


@app.get(
    "/api/cases/<caseId>/image-job",
    summary="The job of a case",
    description="Poll at the pace of `Retry-After`; `If-None-Match` makes an unchanged job a 304.",
    responses=api.described(
        {
            HTTPStatus.OK: ("The job", JobView),
            HTTPStatus.NOT_MODIFIED: ("The job has not changed", None),
        },
        [errors.JobNotFound],
    ),
)
def job(caseId: str) -> Response[str]:  # noqa: N803 - the path parameter's name on the wire
    found = JOBS.get(caseId)
    headers = api.polling(found)
    if api.unchanged(app.current_event, headers):
        return Response(HTTPStatus.NOT_MODIFIED, body="", headers=headers)
    base_url = api.base_url(app.current_event, SETTINGS.public_url)
    view = JobView.of(found, lambda shot_id: LINKS.link(found, shot_id, base_url=base_url))
    return api.answer(view, headers=headers)


@app.get(
    "/api/cases/<caseId>/image-status",
    summary="The status record of old clients",
    responses=api.described(
        {HTTPStatus.OK: ("The status", ImageStatusView)}, [errors.JobNotFound]
    ),
)
def image_status(caseId: str) -> Response[str]:  # noqa: N803
    return api.answer(ImageStatusView.of(JOBS.get(caseId)))


@app.get(
    "/api/cases/<caseId>/images/<shotId>",
    summary="A picture",
    description="Follow the links in the job: they are signed, and lead to a short-lived address.",
    responses=api.described(
        {HTTPStatus.FOUND: ("Where the JPEG is", None)}, [errors.JobNotFound, errors.ImageNotFound]
    ),
)
def image(caseId: str, shotId: str) -> Response[str]:  # noqa: N803
    found = JOBS.get(caseId)
    token = app.current_event.query_string_parameters.get("s", "")
    if not LINKS.holds(found, shotId, token):
        raise errors.ImageNotFound("there is no such picture, or the link to it is not valid")
    address = IMAGES.presign(found.images[shotId], seconds=300)
    headers: api.Headers = {"Location": address, "Cache-Control": "private, max-age=240"}
    return Response(HTTPStatus.FOUND, body="", headers=headers)


@app.get("/api/openapi.json", summary="This description")
def openapi() -> Response[str]:
    return Response(HTTPStatus.OK, content_type=api.JSON, body=ROUTES.text)


@app.not_found
def no_route(_: Exception) -> Response[str]:
    return api.problem(ROUTES.error(app.current_event.path))


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
