"""Every minute: re-arm the jobs that are overdue, end those that are hopeless."""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs
from darkroom.adapters.lambda_workers import LambdaWorkers
from darkroom.settings import SweeperSettings
from darkroom.usecases.sweep_jobs import SweepJobs

SETTINGS = SweeperSettings.load()
LOGGER = observability.logger("sweeper")
SWEEP = SweepJobs(
    jobs=DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name),
    workers=LambdaWorkers(aws.lambda_(), SETTINGS.worker_function),
    clock=lambda: time.time_ns() // 1_000_000,
    timing=SETTINGS.timing,
    webhook_url=SETTINGS.webhook_url,
    limit=SETTINGS.sweep_limit,
)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[str]]:
    report = SWEEP()
    found = {
        "rearmed": list(report.rearmed),
        "ended": list(report.ended),
        "refused": list(report.refused),
    }
    LOGGER.info("swept", extra=found)
    return found
