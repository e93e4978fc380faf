"""Adopt pictures, reschedule or end overdue jobs, and redeliver callbacks, once a minute."""

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import asdict
from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import cloudwatch, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.lambda_deliverers import LambdaDeliverers
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.s3_images import S3Images
from darkroom.clock import clock
from darkroom.cloudwatch import Metric
from darkroom.settings import SweeperSettings
from darkroom.usecases.redeliver_callbacks import RedeliverCallbacks
from darkroom.usecases.start_worker import StartWorker
from darkroom.usecases.sweep_jobs import SweepJobs, SweepReport

SETTINGS = SweeperSettings.load()
RESERVE_S = 10.0
"""Seconds of the invocation that are reserved for the callbacks and the log."""
LOGGER = observability.logger("sweeper")
THREADS = ThreadPoolExecutor(SETTINGS.sweep_threads)


def in_threads(sweep_case: Callable[[str], None], case_ids: Iterable[str]) -> Iterable[None]:
    def call(context: Context, case_id: str) -> None:
        context.run(sweep_case, case_id)

    case_ids = list(case_ids)
    contexts = [copy_context() for _ in case_ids]  # each thread needs the context variables of the invocation
    return THREADS.map(call, contexts, case_ids)


JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
IMAGES = S3Images(aws.s3(), SETTINGS.bucket_name)
WORKERS = LambdaWorkers(aws.lambda_(), SETTINGS.worker_function)
SWEEP = SweepJobs(
    jobs=JOBS,
    images=IMAGES,
    start=StartWorker(jobs=JOBS, workers=WORKERS),
    clock=clock,
    jitter=random.random,
    timing=SETTINGS.timing,
    webhook_url=SETTINGS.webhook_url,
    limit=SETTINGS.sweep_limit,
    each=in_threads,
)

OUTBOX = DynamoDBOutbox(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
DELIVERERS = LambdaDeliverers(
    aws.lambda_(), SETTINGS.deliverer_function, clock, max_concurrent=SETTINGS.max_concurrent_deliverers
)
REDELIVER = RedeliverCallbacks(
    outbox=OUTBOX,
    deliverers=DELIVERERS,
    clock=clock,
    limit=SETTINGS.redeliver_limit,
)
darkroom.startup.done()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    report = sweep(context)
    redelivered = REDELIVER()
    log(report, redelivered)
    cloudwatch.emit("sweeper", {Metric.STUCK_JOBS: len(report.stuck)})
    result = asdict(report)
    del result["jobs"]
    return result


def sweep(context: LambdaContext) -> SweepReport:
    def remaining_s() -> float:
        return context.get_remaining_time_in_millis() / 1000 - RESERVE_S

    return SWEEP(remaining_s)


def log(report: SweepReport, redelivered: int) -> None:
    counts = {name: len(found) for name, found in asdict(report).items() if name != "jobs"}
    LOGGER.info("swept", extra=counts, redelivered=redelivered)
    for case_id, job_id in report.jobs.items():
        LOGGER.info("job_swept", case_id=case_id, correlation_id=job_id, ended=case_id in report.ended)
    if report.stuck:
        LOGGER.warning("jobs_stuck", extra={"count": len(report.stuck), "case_ids": report.stuck})
    if report.failed:
        LOGGER.error("jobs_not_swept", extra={"errors": report.failed})
