"""Answers questions: the job of a case, its pictures, the API's description; and what has no route."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import darkroom.startup
from aws_lambda_powertools.event_handler import Response
from darkroom import api, descriptions, observability, pages
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.counters import DynamoDBCounters
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.s3_images import S3Images
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.image_links import ImageLinks
from darkroom.clock import clock
from darkroom.domain.access import Scope
from darkroom.domain.metrics import Window
from darkroom.routes import Routes
from darkroom.settings import ReaderSettings
from darkroom.usecases.find_image import FindImage
from darkroom.usecases.read_metrics import ReadMetrics
from darkroom.wire.calls import ImageStatusView, JobView, MetricsView, RequestView
from darkroom.wire.inline import inline_view
from darkroom.wire.timeline import TimelineView

SETTINGS = ReaderSettings.load()
LOGGER = observability.logger("reader")
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name)
IMAGES = S3Images(aws.s3(), SETTINGS.bucket_name)
LINKS = ImageLinks(secret(SETTINGS.link_secret))
MEASURE = ReadMetrics(counters=DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name), jobs=JOBS, clock=clock)
FIND_IMAGE = FindImage(jobs=JOBS, key=LINKS.key)
app = api.resolver(LOGGER, SETTINGS.public_url)
Routes(Path(__file__).with_name("openapi.json")).install(app)
pages.install(app, Path(__file__).with_name("page"), IMAGES.origin)
darkroom.startup.done()


@app.get("/api/cases/<caseId>/image-job", **descriptions.JOB)
@api.needs(app, Scope.READ)
@api.with_query(app)
def job(caseId: str, images: Literal["links", "inline"] = "links") -> Response[str]:  # noqa: N803 - a name of the wire
    found = JOBS.get(caseId)
    links = LINKS.of(found, base_url=api.base_url(app, SETTINGS.public_url))
    inline = partial(inline_view, found, links, IMAGES.read)
    forms = {"links": partial(JobView.of, found, links), "inline": inline}
    return api.job_answer(app.current_event, found, images, api.choice("images", images, forms))


@app.get("/api/cases/<caseId>/image-job/request", **descriptions.REQUEST)
@api.needs(app, Scope.RETRY)
def submitted(caseId: str) -> Response[str]:  # noqa: N803
    return api.answer(RequestView.of(JOBS.get_case(JOBS.get(caseId))))


@app.get("/api/cases/<caseId>/image-status", **descriptions.IMAGE_STATUS)
@api.needs(app, Scope.READ)
def image_status(caseId: str) -> Response[str]:  # noqa: N803
    return api.answer(ImageStatusView.of(JOBS.get(caseId)))


@app.get("/api/cases/<caseId>/image-job/timeline", **descriptions.TIMELINE)
@api.needs(app, Scope.READ)
def timeline(caseId: str) -> Response[str]:  # noqa: N803
    return api.answer(TimelineView.of(found := JOBS.get(caseId), JOBS.run_logs(found)))


@app.get("/api/metrics/image-generation", **descriptions.METRICS)
@api.needs(app, Scope.OPERATE)
@api.with_query(app)
def image_generation(window: Window = Window.DAY) -> Response[str]:
    chosen = api.choice("window", window, {each.value: each for each in Window})
    return api.answer(MetricsView.of(chosen, *MEASURE(chosen)), headers={"Cache-Control": "max-age=10"})


@app.get("/api/cases/<caseId>/images/<shotId>", **descriptions.IMAGE)
@api.with_query(app)
def image(caseId: str, shotId: str, s: str = "") -> Response[str]:  # noqa: N803
    return api.redirect(IMAGES.presign(FIND_IMAGE(caseId, shotId, s), seconds=300), keep_s=240)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return observability.answer(LOGGER, app.resolve, event, context)
