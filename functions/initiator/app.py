"""What callers ask for: submit a case, retry what failed, cancel."""

import time
import uuid
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import api, descriptions, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs
from darkroom.adapters.image_links import ImageLinks
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.secrets import secret
from darkroom.domain.job import Job
from darkroom.settings import InitiatorSettings
from darkroom.usecases.cancel_job import CancelJob
from darkroom.usecases.retry_job import RetryJob
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.submit_case import SubmitCase
from darkroom.wire.calls import RetryRequest, SubmitRequest

SETTINGS = InitiatorSettings.load()
LOGGER = observability.logger("initiator")
LINKS = ImageLinks(secret(SETTINGS.link_secret))
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name)
START = StartWorker(jobs=JOBS, workers=LambdaWorkers(aws.lambda_(), SETTINGS.worker_function))
app = api.resolver(LOGGER)


def clock() -> int:
    return time.time_ns() // 1_000_000


def new_id() -> str:
    return uuid.uuid4().hex


SUBMIT = SubmitCase(jobs=JOBS, start=START, clock=clock, new_id=new_id, timing=SETTINGS.timing)
RETRY = RetryJob(jobs=JOBS, start=START, clock=clock, timing=SETTINGS.timing)
CANCEL = CancelJob(jobs=JOBS, clock=clock)


@app.post("/api/generate-case-images", **descriptions.SUBMIT)
@api.with_query(app)
@api.with_body(app, SETTINGS.max_body_bytes)
def submit(body: SubmitRequest, replace: bool = False) -> Response[str]:
    seen = api.seen(app.current_event)
    job, created = SUBMIT(body.to_case(), webhook_url=webhook_url(), replace=replace, seen=seen)
    return answer("case_submitted", job, HTTPStatus.ACCEPTED if created else HTTPStatus.OK)


@app.post("/api/cases/<caseId>/image-job/retry", **descriptions.RETRY)
@api.with_body(app, SETTINGS.max_body_bytes)
def retry(caseId: str, body: RetryRequest) -> Response[str]:  # noqa: N803 - a name of the wire
    seen = api.seen(app.current_event)
    more, changed = body.max_cost_micro_usd, body.descriptions()
    job = RETRY(caseId, changed, webhook_url=webhook_url(), seen=seen, max_cost_micro_usd=more)
    return answer("job_retried", job, HTTPStatus.ACCEPTED)


@app.delete("/api/cases/<caseId>/image-job", **descriptions.CANCEL)
def cancel(caseId: str) -> Response[str]:  # noqa: N803
    return answer("job_cancelled", CANCEL(caseId), HTTPStatus.OK)


def webhook_url() -> str:
    return api.webhook_url(app.current_event, SETTINGS.public_url)


def answer(event: str, job: Job, status: HTTPStatus) -> Response[str]:
    observability.log_job(LOGGER, event, job)
    base_url = api.base_url(app.current_event, SETTINGS.public_url)
    return api.accepted(job, lambda shot_id: LINKS.link(job, shot_id, base_url=base_url), base_url, status)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
