"""Recover the jobs of workers whose invocations have failed, from the queue of Lambda's records."""

import random
from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import cloudwatch, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.adapters.s3_images import S3Images
from darkroom.adapters.sqs_recovery import SqsRecovery
from darkroom.clock import clock
from darkroom.cloudwatch import Metric
from darkroom.domain.errors import InvalidInput
from darkroom.domain.recovery import FailedInvocation, SecondLook
from darkroom.settings import RecoverySettings
from darkroom.usecases.recover_job import RecoverJob
from darkroom.usecases.start_worker import StartWorker
from darkroom.wire.recovery import to_message

SETTINGS = RecoverySettings.load()
LOGGER = observability.logger("recovery")
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
RECOVER = RecoverJob(
    jobs=JOBS,
    images=S3Images(aws.s3(), SETTINGS.bucket_name),
    start=StartWorker(jobs=JOBS, workers=LambdaWorkers(aws.lambda_(), SETTINGS.worker_function)),
    queue=SqsRecovery(aws.sqs(), SETTINGS.recovery_queue),
    clock=clock,
    jitter=random.random,
    timing=SETTINGS.timing,
    webhook_url=SETTINGS.webhook_url,
)
darkroom.startup.done()


def process(record: dict[str, Any]) -> None:
    """Carry out one message; raise when it must come again."""
    try:
        message = to_message(record["body"])
    except InvalidInput as error:
        fields = [field.field for field in error.errors]
        LOGGER.warning("message_unreadable", message_id=record["messageId"], fields=fields)
        return
    LOGGER.set_correlation_id(message.job_id)
    LOGGER.append_keys(case_id=message.case_id, run=message.run)
    outcome = RECOVER(message)
    log(message, outcome)
    count(message)


def log(message: FailedInvocation | SecondLook, outcome: str) -> None:
    """Write one line about the message, without anything of an order but its ids."""
    if isinstance(message, SecondLook):
        LOGGER.info("looked_again", outcome=outcome)
        return
    LOGGER.warning(
        "invocation_failed",
        outcome=outcome,
        condition=message.condition,
        reason=message.reason,
        error_type=message.error_type,
        invocation=message.request_id,
    )


def count(message: FailedInvocation | SecondLook) -> None:
    """Count a record as a lost worker or a dropped event, also if its job is gone."""
    if isinstance(message, SecondLook):
        return
    if not message.ran:
        cloudwatch.emit("recovery", {Metric.EVENTS_DROPPED: 1})
        return
    cloudwatch.emit("recovery", {Metric.WORKERS_LOST: 1})
    cloudwatch.emit("recovery", {Metric.WORKERS_LOST: 1}, reason=message.reason)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    failures = []
    for record in event["Records"]:
        LOGGER.clear_state()
        try:
            process(record)
        except Exception:
            # The queue delivers this message again, and after four times keeps it for operators.
            LOGGER.exception("message_not_processed", message_id=record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
