"""Process every change of a job from the table's stream: callbacks, metrics, the status document."""

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
from darkroom.domain.errors import Unreadable
from darkroom.domain.job import Job
from darkroom.domain.receivers import CallbackEvent
from darkroom.settings import ObserverSettings
from darkroom.usecases.count_change import CountChange
from darkroom.usecases.enqueue_callback import EnqueueCallback
from darkroom.wire.callbacks import CallbackMessage

SETTINGS = ObserverSettings.load()
LOGGER = observability.logger("observer")
COUNTERS = DynamoDBCounters(aws.dynamodb(), SETTINGS.table_name)
COUNT = CountChange(counters=COUNTERS)
LINKS = ImageLinks(secret(SETTINGS.link_secret))


def callback_body(event: CallbackEvent, job: Job, at: int) -> str:
    links = LINKS.of(job, base_url=SETTINGS.api_url)
    return CallbackMessage.body(event, job, at, links)


OUTBOX = DynamoDBOutbox(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
DELIVERERS = LambdaDeliverers(
    aws.lambda_(), SETTINGS.deliverer_function, clock, max_concurrent=SETTINGS.max_concurrent_deliverers
)
ENQUEUE = EnqueueCallback(outbox=OUTBOX, deliverers=DELIVERERS, clock=clock, write_body=callback_body)
DOCUMENTS = StatusDocuments(aws.s3(), SETTINGS.bucket_name)
darkroom.startup.done()


def process(change: dict[str, Any]) -> None:
    old = job_from_item(change["OldImage"]) if "OldImage" in change else None
    new = job_from_item(change["NewImage"])
    ENQUEUE(old, new)
    count(old, new, at=int(change["ApproximateCreationDateTime"] * 1000))
    write_status_document(new)


def count(old: Job | None, new: Job, *, at: int) -> None:
    tally = COUNT(old, new, at=at)
    cloudwatch.emit("observer", cloudwatch.of_tally(tally))


def write_status_document(job: Job) -> None:
    if not SETTINGS.status_url:
        return
    key = LINKS.document_key(job)
    links = LINKS.of(job, base_url=SETTINGS.api_url)
    DOCUMENTS.put(key, job, links)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    done = 0
    failures = []
    for record in event["Records"]:
        try:
            process(record["dynamodb"])
        except Unreadable as error:
            # It stays so: waiting for it would only hold up the later changes.
            LOGGER.exception("change_unreadable", reason=str(error))
            continue
        except Exception:
            # Lambda delivers the stream again from this record on, so the later ones keep their order.
            number = record["dynamodb"]["SequenceNumber"]
            LOGGER.exception("change_not_processed", sequence_number=number)
            failures.append({"itemIdentifier": number})
            break
        done += 1
    LOGGER.info("changes_processed", changes=done, failed=len(failures))
    return {"batchItemFailures": failures}
