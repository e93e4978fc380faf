"""Submit a case, retry a job, cancel a job."""

from http import HTTPStatus
from typing import Any

import darkroom.startup
from aws_lambda_powertools.event_handler import Response
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.daily_limit import DynamoDBDailyLimit
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.image_links import ImageLinks
from darkroom.adapters.signing.share_links import RIGHTS, ShareLinks
from darkroom.api import auth, openapi, params, responses
from darkroom.api.app import WEBHOOK_PATH, base_url, resolver
from darkroom.clock import clock, new_id
from darkroom.domain.access import Scope
from darkroom.domain.job import Job
from darkroom.settings import InitiatorSettings
from darkroom.usecases.cancel_job import CancelJob
from darkroom.usecases.retry_job import RetryJob
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.submit_case import SubmitCase
from darkroom.wire.requests import RETRY_ALL, RetryRequest, Share, SubmitRequest

SETTINGS = InitiatorSettings.load()
LOGGER = observability.logger("initiator")
LINKS = ImageLinks(secret(SETTINGS.link_secret))
SHARES = ShareLinks(secret(SETTINGS.share_secret))
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
WORKERS = LambdaWorkers(aws.lambda_(), SETTINGS.worker_function)
START = StartWorker(jobs=JOBS, workers=WORKERS)
app = resolver(LOGGER, SETTINGS.public_url)
DAILY_LIMIT = DynamoDBDailyLimit(aws.dynamodb(), SETTINGS.table_name, SETTINGS.cases_per_day)
SUBMIT = SubmitCase(
    jobs=JOBS, daily_limit=DAILY_LIMIT, start=START, clock=clock, new_id=new_id, timing=SETTINGS.timing
)
RETRY = RetryJob(jobs=JOBS, daily_limit=DAILY_LIMIT, start=START, clock=clock, timing=SETTINGS.timing)
CANCEL = CancelJob(jobs=JOBS, clock=clock)
darkroom.startup.done()


@app.post("/api/generate-case-images", **openapi.SUBMIT)
@auth.requires(app, Scope.SUBMIT)
@params.with_query(app)
@params.with_body(app, SETTINGS.max_body_bytes)
def submit(body: SubmitRequest, replace: bool = False, share: Share = "read") -> Response[str]:
    rights = params.choice("share", share, RIGHTS)
    caller = auth.caller_of(app.current_event).caller
    seen = params.states_in_if_match(app.current_event)
    case = body.to_case(SETTINGS.receivers)
    base = base_url(app, SETTINGS.public_url)
    job, created = SUBMIT(case, caller=caller, webhook_url=base + WEBHOOK_PATH, replace=replace, seen=seen)
    status = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    share_url = SHARES.link(job.case_id, rights, base_url=base, now=clock(), days=SETTINGS.share_days)
    return respond("case_submitted", job, status, share_url)


@app.post("/api/cases/<caseId>/image-job/retry", **openapi.RETRY)
@auth.requires(app, Scope.RETRY)
@params.with_body(app, SETTINGS.max_body_bytes)
def retry(caseId: str, body: RetryRequest = RETRY_ALL) -> Response[str]:  # noqa: N803 - a name of the wire
    caller = auth.caller_of(app.current_event)
    seen = params.states_in_if_match(app.current_event)
    max_cost = auth.allowed_max_cost(app.current_event, body.max_cost_micro_usd)
    descriptions = body.descriptions()
    webhook_url = base_url(app, SETTINGS.public_url) + WEBHOOK_PATH
    job = RETRY(
        caseId, descriptions, by=caller, webhook_url=webhook_url, seen=seen, max_cost_micro_usd=max_cost
    )
    return respond("job_retried", job, HTTPStatus.ACCEPTED)


@app.delete("/api/cases/<caseId>/image-job", **openapi.CANCEL)
@auth.requires(app, Scope.SUBMIT)
def cancel(caseId: str) -> Response[str]:  # noqa: N803
    caller = auth.caller_of(app.current_event).caller
    seen = params.states_in_if_match(app.current_event)
    job = CANCEL(caseId, by=caller, seen=seen)
    return respond("job_cancelled", job, HTTPStatus.OK)


def respond(event: str, job: Job, status: HTTPStatus, share_url: str | None = None) -> Response[str]:
    observability.log_job(LOGGER, event, job)
    base = base_url(app, SETTINGS.public_url)
    links = LINKS.of(job, base_url=base)
    # Holders of share links do not receive the URL of the status document: it never expires.
    documents_url = "" if auth.caller_of(app.current_event).is_guest else SETTINGS.status_url
    status_url = LINKS.document(job, base_url=documents_url)
    return responses.accepted(job, links, base, status, share_url=share_url, status_url=status_url)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
