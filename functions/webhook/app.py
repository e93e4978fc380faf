"""POST /api/webhook/image-progress: take a worker's signed snapshot."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import api, observability
from darkroom.adapters import aws, standard_webhooks
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs
from darkroom.adapters.secrets import secret
from darkroom.domain import errors
from darkroom.settings import WebhookSettings
from darkroom.usecases.record_progress import RecordProgress
from darkroom.wire.calls import Received
from darkroom.wire.messages import ImageProgressUpdate

SETTINGS = WebhookSettings.load()
LOGGER = observability.logger("webhook")
SECRET = secret(SETTINGS.webhook_secret)
RECORD = RecordProgress(
    jobs=DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name),
    clock=lambda: time.time_ns() // 1_000_000,
    timing=SETTINGS.timing,
)
app = api.resolver(LOGGER)


def clock() -> int:
    return time.time_ns() // 1_000_000


def verify(headers: Mapping[str, str], body: bytes) -> None:
    standard_webhooks.verify(SECRET(), headers=headers, body=body, now_s=clock() / 1000)


@app.post(
    "/api/webhook/image-progress",
    summary="Take a worker's snapshot",
    description="Signed by Standard Webhooks 1.0. A repeated or late snapshot changes nothing.",
    responses=api.described(
        {HTTPStatus.OK: ("Applied, or already known", Received)},
        [
            errors.InvalidInput,
            errors.BadSignature,
            errors.JobNotFound,
            errors.Superseded,
            errors.BodyTooLarge,
            errors.Contention,
        ],
    ),
)
@api.with_body(app, SETTINGS.max_body_bytes, verify)
def receive(body: ImageProgressUpdate) -> Response[str]:
    job = RECORD(body.to_snapshot())
    LOGGER.info(
        "snapshot_received",
        case_id=job.case_id,
        job_id=job.job_id,
        run=body.run,
        sequence=body.sequence,
        kind=body.kind,
        job_status=job.status,
        completed=len(job.images),
        failed=len(job.failures),
        version=job.version,
    )
    return api.answer(Received())


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
