"""Hears of every change of a job from the table's stream, and counts what it adds."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import metrics, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb_counters import DynamoDBCounters
from darkroom.adapters.dynamodb_jobs import job_from_item
from darkroom.settings import ObserverSettings
from darkroom.usecases.count_change import CountChange

SETTINGS = ObserverSettings.load()
LOGGER = observability.logger("observer")
COUNT = CountChange(counters=DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name))


def observe(record: dict[str, Any]) -> None:
    change = record["dynamodb"]
    old = job_from_item(change["OldImage"]) if "OldImage" in change else None
    new = job_from_item(change["NewImage"])
    metrics.emit("observer", metrics.of_tally(COUNT(old, new, at=milliseconds(change))))


def milliseconds(change: dict[str, Any]) -> int:
    return int(change["ApproximateCreationDateTime"] * 1000)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    done = 0
    failures = []
    for record in event["Records"]:
        try:
            observe(record)
        except Exception:  # the stream comes again from here on; what is behind it keeps its order
            number = record["dynamodb"]["SequenceNumber"]
            LOGGER.exception("change_not_counted", sequence_number=number)
            failures.append({"itemIdentifier": number})
            break
        done += 1
    LOGGER.info("changes_counted", changes=done, failed=len(failures))
    return {"batchItemFailures": failures}
