"""Carry out a work order: make the pictures of a case and report each when it is stored."""

import asyncio
import random
import time
from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import cloudwatch, observability
from darkroom.adapters import aws, http_client
from darkroom.adapters.dynamodb.quota import DynamoDBQuota
from darkroom.adapters.http_snapshots import HttpSnapshots
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from darkroom.adapters.s3_images import S3Images
from darkroom.adapters.secrets import secret
from darkroom.clock import clock, new_id
from darkroom.domain.run_policy import AttemptPolicy, RunPolicy
from darkroom.image_models import image_models
from darkroom.settings import WorkerSettings
from darkroom.wire.model import parse
from darkroom.wire.order import WorkerEvent, WorkerResult
from darkroom.worker.run_job import RunJob

SETTINGS = WorkerSettings.load()
LOGGER = observability.logger("worker")
# One event loop for the life of the process, so that connections stay warm between invocations.
RUNNER = asyncio.Runner()
CLIENT = http_client.client(SETTINGS.concurrency)

POLICY = RunPolicy(
    concurrency=SETTINGS.concurrency,
    evidence_batch=SETTINGS.evidence_batch,
    location_batch=SETTINGS.location_batch,
    strict_batches=SETTINGS.strict_batches,
    reserve_s=SETTINGS.reserve_seconds,
    hedge_share=SETTINGS.hedge_share,
    daily_budget_micro_usd=SETTINGS.daily_budget_micro_usd,
    fallback_on=SETTINGS.fallback_codes,
    attempts=AttemptPolicy(
        request_timeout=SETTINGS.request_timeout_seconds, shot_timeout=SETTINGS.shot_timeout_seconds
    ),
)
IMAGE_MODELS = image_models(SETTINGS, CLIENT)
QUOTA = DynamoDBQuota(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
IMAGES = S3Images(aws.s3(attempts=3), SETTINGS.bucket_name)
PROCESSOR = PillowProcessor(size=SETTINGS.image_size, quality=SETTINGS.jpeg_quality)
CHANNEL = HttpSnapshots(CLIENT, secret(SETTINGS.webhook_secret), clock)
RUN_JOB = RunJob(
    policy=POLICY,
    image_models=IMAGE_MODELS,
    quota_store=QUOTA,
    images=IMAGES,
    processor=PROCESSOR,
    channel=CHANNEL,
    clock=clock,
    new_id=new_id,
    jitter=random.random,
)
darkroom.startup.done()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = parse(WorkerEvent, event).to_order()
    LOGGER.set_correlation_id(order.job_id)

    def remaining_s() -> float:
        return context.get_remaining_time_in_millis() / 1000

    cpu_before = time.process_time()
    report = RUNNER.run(RUN_JOB(order, remaining_s, context.aws_request_id))
    cpu_seconds = time.process_time() - cpu_before
    observability.log_run(LOGGER, order, report, cpu_seconds=cpu_seconds)
    cloudwatch.emit("worker", cloudwatch.of_run(report))
    return WorkerResult.of(order, report).model_dump(by_alias=True)
