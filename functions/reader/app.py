"""Return jobs, pictures and metrics. Serve the web page and the OpenAPI description. Return 404 and 405."""

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
COUNTERS = DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name)
READ_METRICS = ReadMetrics(counters=COUNTERS, jobs=JOBS, clock=clock)
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
    with_links = partial(JobView.of, found, links)
    inline = partial(inline_view, found, links, IMAGES.read)
    views = {"links": with_links, "inline": inline}
    view = params.choice("images", images, views)
    return responses.job_or_not_modified(app.current_event, found, images, view)


@app.get("/api/cases/<caseId>/image-job/request", **openapi.REQUEST)
@auth.requires(app, Scope.RETRY)
def submitted(caseId: str) -> Response[str]:  # noqa: N803
    found = JOBS.get(caseId)
    case = JOBS.get_case(found)
    return responses.respond(RequestView.of(case))


@app.get("/api/cases/<caseId>/image-status", **openapi.IMAGE_STATUS)
@auth.requires(app, Scope.READ)
def image_status(caseId: str) -> Response[str]:  # noqa: N803
    found = JOBS.get(caseId)
    return responses.respond(ImageStatusView.of(found))


@app.get("/api/cases/<caseId>/image-job/timeline", **openapi.TIMELINE)
@auth.requires(app, Scope.READ)
def timeline(caseId: str) -> Response[str]:  # noqa: N803
    found = JOBS.get(caseId)
    logs = JOBS.run_logs(found)
    return responses.respond(TimelineView.of(found, logs))


@app.get("/api/metrics/image-generation", **openapi.METRICS)
@auth.requires(app, Scope.OPERATE)
@params.with_query(app)
def image_generation(window: Window = Window.DAY) -> Response[str]:
    windows = {option.value: option for option in Window}
    chosen = params.choice("window", window, windows)
    totals, stuck = READ_METRICS(chosen)
    view = MetricsView.of(chosen, totals, stuck)
    return responses.respond(view, headers={"Cache-Control": "max-age=10"})


@app.get("/api/cases/<caseId>/images/<shotId>", **openapi.IMAGE)
@params.with_query(app)
def image(caseId: str, shotId: str, s: str = "") -> Response[str]:  # noqa: N803
    key = FIND_IMAGE(caseId, shotId, s)
    address = IMAGES.presign(key, seconds=300)
    return responses.redirect(address, keep_s=240)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
