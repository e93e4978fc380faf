"""Attempt one delivery of a callback."""

from typing import Any

import darkroom.startup
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.http_callbacks import HttpCallbacks
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.callback_secrets import CallbackSecrets
from darkroom.clock import clock
from darkroom.settings import DelivererSettings
from darkroom.usecases.deliver_callback import DeliverCallback
from darkroom.wire.callbacks import DeliveryOrder
from darkroom.wire.model import parse

SETTINGS = DelivererSettings.load()
LOGGER = observability.logger("deliverer")
SECRETS = CallbackSecrets(secret(SETTINGS.callback_secret))
SENDER = HttpCallbacks(SECRETS.of, clock, private=SETTINGS.callback_private)
DELIVER = DeliverCallback(
    outbox=DynamoDBOutbox(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days),
    sender=SENDER,
    clock=clock,
)
darkroom.startup.done()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = parse(DeliveryOrder, event)
    LOGGER.set_correlation_id(order.job_id)
    delivery = DELIVER(order.case_id, order.job_id, order.version)
    if delivery is None:
        LOGGER.info("nothing_to_deliver", case_id=order.case_id, version=order.version)
        return {"state": None}
    LOGGER.info(
        "delivery_attempted",
        case_id=order.case_id,
        version=order.version,
        callback_event=delivery.event,
        state=delivery.state,
        attempts=delivery.attempts,
        status_code=delivery.last_status,
        error=delivery.last_error,
        milliseconds=delivery.milliseconds,
    )
    return {"state": str(delivery.state)}
