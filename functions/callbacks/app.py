"""List the callbacks of a case, send one again, return the secrets with which callers verify them."""

from http import HTTPStatus
from typing import Any

import darkroom.startup
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from darkroom import observability
from darkroom.adapters import aws
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.lambda_deliverers import LambdaDeliverers
from darkroom.adapters.secrets import secret
from darkroom.adapters.signing.callback_secrets import CallbackSecrets
from darkroom.api import auth, openapi, responses
from darkroom.api.app import resolver
from darkroom.clock import clock
from darkroom.domain.access import Scope
from darkroom.settings import CallbacksSettings
from darkroom.usecases.replay_callback import ReplayCallback
from darkroom.wire.callbacks import CallbackSecretView, DeliveriesView, DeliveryView

SETTINGS = CallbacksSettings.load()
LOGGER = observability.logger("callbacks")
JOBS = DynamoDBJobs(aws.dynamodb(), SETTINGS.table_name)
OUTBOX = DynamoDBOutbox(aws.dynamodb(), SETTINGS.table_name, SETTINGS.keep_days)
SECRETS = CallbackSecrets(secret(SETTINGS.callback_secret))
DELIVERERS = LambdaDeliverers(
    aws.lambda_(), SETTINGS.deliverer_function, clock, max_concurrent=SETTINGS.max_concurrent_deliverers
)
REPLAY = ReplayCallback(outbox=OUTBOX, deliverers=DELIVERERS, clock=clock)
app = resolver(LOGGER, SETTINGS.public_url)
darkroom.startup.done()


@app.get("/api/cases/<caseId>/image-job/callbacks", **openapi.CALLBACKS)
@auth.requires(app, Scope.SUBMIT)
def deliveries(caseId: str) -> Response[str]:  # noqa: N803 - a name of the wire
    job = JOBS.get(caseId)
    found = OUTBOX.of_job(job)
    return responses.respond(DeliveriesView.of(job, found))


@app.post("/api/cases/<caseId>/image-job/callbacks/<version>/replay", **openapi.REPLAY)
@auth.requires(app, Scope.SUBMIT)
def replay(caseId: str, version: str) -> Response[str]:  # noqa: N803
    job = JOBS.get(caseId)
    delivery = REPLAY(job, int(version))
    return responses.respond(DeliveryView.of(delivery), HTTPStatus.ACCEPTED)


@app.get("/api/callback-secret", **openapi.CALLBACK_SECRET)
@auth.requires(app, Scope.SUBMIT)
def callback_secret() -> Response[str]:
    caller = auth.caller_of(app.current_event).caller
    secrets = SECRETS.of(caller).split()
    return responses.respond(CallbackSecretView(secrets=secrets), headers={"Cache-Control": "no-store"})


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return observability.handle(LOGGER, app.resolve, event, context)
