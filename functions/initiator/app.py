"""POST /api/generate-case-images: accept a case and hand it to a worker."""

import time
import uuid
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import api, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs
from darkroom.adapters.image_links import ImageLinks
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.secrets import secret
from darkroom.domain import errors
from darkroom.settings import InitiatorSettings
from darkroom.usecases.submit_case import SubmitCase
from darkroom.wire.calls import JobView, SubmitRequest

SETTINGS = InitiatorSettings.load()
LOGGER = observability.logger("initiator")
LINKS = ImageLinks(secret(SETTINGS.link_secret))
SUBMIT = SubmitCase(
    jobs=DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name),
    workers=LambdaWorkers(aws.lambda_(), SETTINGS.worker_function),
    clock=lambda: time.time_ns() // 1_000_000,
    new_id=lambda: uuid.uuid4().hex,
    timing=SETTINGS.timing,
)
app = api.resolver(LOGGER)


@app.post(
    "/api/generate-case-images",
    summary="Submit a case",
    description="Answers at once; the pictures are made in the background. The same case again"
    " answers the job there is.",
    responses=api.described(
        {
            HTTPStatus.ACCEPTED: ("The job was created", JobView),
            HTTPStatus.OK: ("The case was submitted before", JobView),
        },
        [errors.InvalidInput, errors.CaseConflict, errors.BodyTooLarge, errors.Contention],
    ),
)
@api.with_body(app, SETTINGS.max_body_bytes)
def submit(body: SubmitRequest) -> Response[str]:
    base_url = api.base_url(app.current_event, SETTINGS.public_url)
    webhook_url = f"{base_url}/api/webhook/image-progress"
    job, created = SUBMIT(body.to_case(), webhook_url=webhook_url)
    LOGGER.info(
        "case_submitted",
        case_id=job.case_id,
        job_id=job.job_id,
        is_new=created,
        shots=len(job.shots),
        last_error=job.last_error,
    )
    view = JobView.of(job, lambda shot_id: LINKS.link(job, shot_id, base_url=base_url))
    status = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    location = f"{base_url}/api/cases/{job.case_id}/image-job"
    return api.answer(view, status, {"Location": location})


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
