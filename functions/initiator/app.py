"""What callers ask for: submit a case, retry what failed, cancel."""

from functools import partial
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
START = StartWorker(jobs=JOBS, workers=LambdaWorkers(aws.lambda_(), SETTINGS.worker_function))
app = resolver(LOGGER, SETTINGS.public_url)
BASE_URL = partial(base_url, app, SETTINGS.public_url)
CASES = DynamoDBDailyLimit(aws.dynamodb(), SETTINGS.table_name, SETTINGS.cases_per_day)
TIMING = SETTINGS.timing
SUBMIT = SubmitCase(jobs=JOBS, daily_limit=CASES, start=START, clock=clock, new_id=new_id, timing=TIMING)
RETRY = RetryJob(jobs=JOBS, daily_limit=CASES, start=START, clock=clock, timing=TIMING)
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
    webhook_url = BASE_URL() + WEBHOOK_PATH
    job, created = SUBMIT(case, caller=caller, webhook_url=webhook_url, replace=replace, seen=seen)
    link = SHARES.link(job.case_id, rights, base_url=BASE_URL(), now=clock(), days=SETTINGS.share_days)
    return answer("case_submitted", job, HTTPStatus.ACCEPTED if created else HTTPStatus.OK, link)


@app.post("/api/cases/<caseId>/image-job/retry", **openapi.RETRY)
@auth.requires(app, Scope.RETRY)
@params.with_body(app, SETTINGS.max_body_bytes)
def retry(caseId: str, body: RetryRequest = RETRY_ALL) -> Response[str]:  # noqa: N803 - a name of the wire
    by = auth.caller_of(app.current_event)
    seen = params.states_in_if_match(app.current_event)
    more = auth.allowed_max_cost(app.current_event, body.max_cost_micro_usd)
    changed = body.descriptions()
    webhook_url = BASE_URL() + WEBHOOK_PATH
    job = RETRY(caseId, changed, by=by, webhook_url=webhook_url, seen=seen, max_cost_micro_usd=more)
    return answer("job_retried", job, HTTPStatus.ACCEPTED)


@app.delete("/api/cases/<caseId>/image-job", **openapi.CANCEL)
@auth.requires(app, Scope.SUBMIT)
def cancel(caseId: str) -> Response[str]:  # noqa: N803
    by = auth.caller_of(app.current_event).caller
    seen = params.states_in_if_match(app.current_event)
    return answer("job_cancelled", CANCEL(caseId, by=by, seen=seen), HTTPStatus.OK)


def answer(event: str, job: Job, status: HTTPStatus, share_url: str | None = None) -> Response[str]:
    observability.log_job(LOGGER, event, job)
    links = LINKS.of(job, base_url=BASE_URL())
    # It needs no token and never ends, and a share link does.
    status_url = "" if auth.caller_of(app.current_event).is_guest else SETTINGS.status_url
    document = LINKS.document(job, base_url=status_url)
    return responses.accepted(job, links, BASE_URL(), status, share_url=share_url, status_url=document)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
