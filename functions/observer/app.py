"""Hears of every change of a job from the table's stream: counts it, tells receivers, rewrites its status."""

from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import cloudwatch, observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.counters import DynamoDBCounters
from darkroom.adapters.dynamodb.items import job_from_item
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.lambda_deliverers import LambdaDeliverers
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.image_links import ImageLinks
from darkroom.adapters.status_documents import StatusDocuments
from darkroom.clock import clock
from darkroom.settings import ObserverSettings
from darkroom.usecases.count_change import CountChange
from darkroom.usecases.enqueue_callback import EnqueueCallback
from darkroom.wire.callbacks import CallbackMessage

SETTINGS = ObserverSettings.load()
LOGGER = observability.logger("observer")
COUNT = CountChange(counters=DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name))
LINKS = ImageLinks(secret(SETTINGS.link_secret))
ANNOUNCE = EnqueueCallback(
    outbox=DynamoDBOutbox(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days),
    deliverers=LambdaDeliverers(
        aws.lambda_(), SETTINGS.deliverer_function, clock, at_once=SETTINGS.deliverers_at_once
    ),
    clock=clock,
    describe=lambda event, job, at: CallbackMessage.body(
        event, job, at, LINKS.of(job, base_url=SETTINGS.api_url)
    ),
)
DOCUMENTS = StatusDocuments(aws.s3(), SETTINGS.bucket_name)
darkroom.startup.done()


def observe(record: dict[str, Any]) -> None:
    change = record["dynamodb"]
    old = job_from_item(change["OldImage"]) if "OldImage" in change else None
    new = job_from_item(change["NewImage"])
    ANNOUNCE(old, new)
    cloudwatch.emit("observer", cloudwatch.of_tally(COUNT(old, new, at=milliseconds(change))))
    if SETTINGS.status_url:
        DOCUMENTS.put(LINKS.document_key(new), new, LINKS.of(new, base_url=SETTINGS.api_url))


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
