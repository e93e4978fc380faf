"""Receive the signed snapshots of workers."""

from collections.abc import Mapping
from typing import Any

import darkroom.startup
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing import standard_webhooks
from darkroom.api import openapi, params, responses
from darkroom.api.app import WEBHOOK_PATH, base_url, resolver
from darkroom.clock import clock
from darkroom.settings import WebhookSettings
from darkroom.usecases.record_progress import RecordProgress
from darkroom.usecases.start_worker import StartWorker
from darkroom.wire.snapshot import ImageProgressUpdate, Received

SETTINGS = WebhookSettings.load()
LOGGER = observability.logger("webhook")
SECRET = secret(SETTINGS.webhook_secret)
app = resolver(LOGGER, SETTINGS.public_url)

JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
WORKERS = LambdaWorkers(aws.lambda_(), SETTINGS.worker_function)
START = StartWorker(jobs=JOBS, workers=WORKERS)
RECORD = RecordProgress(jobs=JOBS, start=START, clock=clock, timing=SETTINGS.timing)
darkroom.startup.done()


def verify(headers: Mapping[str, str], body: bytes) -> None:
    standard_webhooks.verify(SECRET(), headers=headers, body=body, now_s=clock() / 1000)


@app.post(WEBHOOK_PATH, **openapi.SNAPSHOT)
@params.with_body(app, SETTINGS.max_body_bytes, verify)
def receive(body: ImageProgressUpdate) -> Response[str]:
    snapshot = body.to_snapshot()
    webhook_url = base_url(app, SETTINGS.public_url) + WEBHOOK_PATH
    job = RECORD(snapshot, webhook_url=webhook_url)
    LOGGER.append_keys(sequence=body.sequence, kind=body.kind, sender_run=body.run)
    observability.log_job(LOGGER, "snapshot_received", job)
    return responses.respond(Received())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
