"""Answers questions: the job of a case, its pictures, the API's description; and what has no route."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import darkroom.startup
from aws_lambda_powertools.event_handler import Response
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.counters import DynamoDBCounters
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.s3_images import S3Images
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.image_links import ImageLinks
from darkroom.api import auth, openapi, params, responses, viewer
from darkroom.api.app import base_url, resolver
from darkroom.api.not_found import Routes
from darkroom.clock import clock
from darkroom.domain.access import Scope
from darkroom.domain.metrics import Window
from darkroom.settings import ReaderSettings
from darkroom.usecases.find_image import FindImage
from darkroom.usecases.read_metrics import ReadMetrics
from darkroom.wire.inline import inline_view
from darkroom.wire.job import ImageStatusView, JobView
from darkroom.wire.metrics import MetricsView
from darkroom.wire.requests import RequestView
from darkroom.wire.timeline import TimelineView

SETTINGS = ReaderSettings.load()
LOGGER = observability.logger("reader")
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name)
IMAGES = S3Images(aws.s3(), SETTINGS.bucket_name)
LINKS = ImageLinks(secret(SETTINGS.link_secret))
READ_METRICS = ReadMetrics(
    counters=DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name), jobs=JOBS, clock=clock
)
FIND_IMAGE = FindImage(jobs=JOBS, key=LINKS.key)
app = resolver(LOGGER, SETTINGS.public_url)
Routes(Path(__file__).with_name("openapi.json")).install(app)
viewer.install(app, Path(__file__).with_name("page"), IMAGES.origin)
darkroom.startup.done()


@app.get("/api/cases/<caseId>/image-job", **openapi.JOB)
@auth.requires(app, Scope.READ)
@params.with_query(app)
def job(caseId: str, images: Literal["links", "inline"] = "links") -> Response[str]:  # noqa: N803 - a name of the wire
    found = JOBS.get(caseId)
    links = LINKS.of(found, base_url=base_url(app, SETTINGS.public_url))
    inline = partial(inline_view, found, links, IMAGES.read)
    forms = {"links": partial(JobView.of, found, links), "inline": inline}
    view = params.choice("images", images, forms)
    return responses.job_or_not_modified(app.current_event, found, images, view)


@app.get("/api/cases/<caseId>/image-job/request", **openapi.REQUEST)
@auth.requires(app, Scope.RETRY)
def submitted(caseId: str) -> Response[str]:  # noqa: N803
    return responses.respond(RequestView.of(JOBS.get_case(JOBS.get(caseId))))


@app.get("/api/cases/<caseId>/image-status", **openapi.IMAGE_STATUS)
@auth.requires(app, Scope.READ)
def image_status(caseId: str) -> Response[str]:  # noqa: N803
    return responses.respond(ImageStatusView.of(JOBS.get(caseId)))


@app.get("/api/cases/<caseId>/image-job/timeline", **openapi.TIMELINE)
@auth.requires(app, Scope.READ)
def timeline(caseId: str) -> Response[str]:  # noqa: N803
    found = JOBS.get(caseId)
    return responses.respond(TimelineView.of(found, JOBS.run_logs(found)))


@app.get("/api/metrics/image-generation", **openapi.METRICS)
@auth.requires(app, Scope.OPERATE)
@params.with_query(app)
def image_generation(window: Window = Window.DAY) -> Response[str]:
    chosen = params.choice("window", window, {each.value: each for each in Window})
    totals, stuck = READ_METRICS(chosen)
    return responses.respond(MetricsView.of(chosen, totals, stuck), headers={"Cache-Control": "max-age=10"})


@app.get("/api/cases/<caseId>/images/<shotId>", **openapi.IMAGE)
@params.with_query(app)
def image(caseId: str, shotId: str, s: str = "") -> Response[str]:  # noqa: N803
    return responses.redirect(IMAGES.presign(FIND_IMAGE(caseId, shotId, s), seconds=300), keep_s=240)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
