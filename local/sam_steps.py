"""The event that `make sam-local` sends to each function, and the result that each must return.

The functions are those of the template. Each is invoked with its sample in `events/`, completed with what
only a running stack knows: a token, a job's id, a signature.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.signing import standard_webhooks
from darkroom.api.app import WEBHOOK_PATH
from darkroom_client import Case

from local import cloudformation, package
from local.run_case import client
from local.sam import Event, Failed, Invoked, Place, deployed_functions, functions, sam_invoke

EVENTS = package.ROOT / "events"


@dataclass(frozen=True, kw_only=True)
class Known:
    """The values with which a sample may be completed."""

    place: Place
    bodies: Mapping[str, Any]
    """Logical id of each function that was invoked before → the body of its result."""

    @property
    def job_id(self) -> str:
        """Return the id of the job that the initiator created: all samples belong to the same case."""
        return str(self.bodies["InitiatorFunction"]["jobId"])


type Fill = Callable[[Event, Known], Event]


def from_a_known_caller(sample: Event, known: Known) -> Event:
    """Fill in the token of a caller that the stack knows."""
    authorization = f"Bearer {known.place.stack.token}"
    headers = sample["headers"] | {"authorization": authorization}
    return sample | {"headers": headers, "identitySource": [authorization]}


def of_the_submitted_job(sample: Event, known: Known) -> Event:
    """Fill in the job, the digests of its prompts, and the webhook of the emulator's stack."""
    running = known.place.stack
    digests = DynamoDBJobs(running.client("dynamodb"), running.table).get(sample["caseId"]).digests
    for item in (*sample["evidence"], *sample["locations"]):
        item["digest"] = digests[item["id"]]
    webhook_url = known.place.inside(running.api_url) + WEBHOOK_PATH
    return sample | {"jobId": known.job_id, "webhookUrl": webhook_url}


def signed_now(sample: Event, known: Known) -> Event:
    """Fill in a signature, and another job, which no worker has claimed."""
    running = known.place.stack
    submitted = json.loads(load_sample("InitiatorFunction")["body"]) | {"caseId": "case-43"}
    with client(running.api_url, running.token) as api:
        job = api.submit(Case.model_validate(submitted))
    body = json.dumps(json.loads(sample["body"]) | {"caseId": job.case_id, "jobId": job.job_id})
    signed = standard_webhooks.sign(
        running.webhook_secret,
        message_id=sample["headers"]["webhook-id"],
        timestamp_s=int(time.time()),
        body=body.encode(),
    )
    return sample | {"headers": sample["headers"] | signed, "body": body}


def of_a_finished_run(sample: Event, known: Known) -> Event:
    """Fill in the job, whose worker has ended: the record changes nothing."""
    [message] = sample["Records"]
    record = json.loads(message["body"])
    record["requestPayload"]["jobId"] = known.job_id
    return sample | {"Records": [message | {"body": json.dumps(record)}]}


def with_a_receiver(sample: Event, known: Known) -> Event:
    """Fill in the job and a receiver that responds: the deliverer will send this change to it."""
    for record in sample["Records"]:
        image = record["dynamodb"]["NewImage"]
        image["jobId"] = {"S": known.job_id}
        image["receiver"]["M"]["url"] = {"S": known.place.receiver_url}
    return sample


def of_the_observed_change(sample: Event, known: Known) -> Event:
    """Fill in the change that the observer received."""
    [record] = load_sample("ObserverFunction")["Records"]
    return sample | {"jobId": known.job_id, "version": int(record["dynamodb"]["NewImage"]["version"]["N"])}


@dataclass(frozen=True, kw_only=True)
class Step:
    """The event for one function, and the result that it must return."""

    fill: Fill = lambda sample, _: sample
    http: int | None = None
    """The HTTP status to expect; None allows any status below 400, or none."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """Values to expect in the body; it may hold more."""


STEPS: Mapping[str, Step] = {
    "AuthorizerFunction": Step(fill=from_a_known_caller, body={"isAuthorized": True}),
    "InitiatorFunction": Step(http=202, body={"status": "pending"}),
    "WorkerFunction": Step(fill=of_the_submitted_job, body={"status": "completed"}),
    "ReaderFunction": Step(http=200, body={"status": "completed"}),
    "WebhookFunction": Step(fill=signed_now, http=200),
    "RecoveryFunction": Step(fill=of_a_finished_run, body={"batchItemFailures": []}),
    "SweeperFunction": Step(body={"failed": {}}),
    "ObserverFunction": Step(fill=with_a_receiver, body={"batchItemFailures": []}),
    "DelivererFunction": Step(fill=of_the_observed_change, body={"state": "delivered"}),
    "CallbacksFunction": Step(http=200),
}
"""The functions in the order in which a case meets them.

Other functions of the template follow; their samples are sent unchanged.
"""


def load_sample(function: str) -> Event:
    """Return the event of a function in `events/`; raise Failed when there is none."""
    path = EVENTS / f"{function.removesuffix('Function').lower()}.json"
    try:
        found: Event = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise Failed(f"{function} has no sample event: write {path.relative_to(package.ROOT)}") from error
    return found


def samples(template: Mapping[str, Any]) -> dict[str, Event]:
    """Return the sample of every function of the template, in the order of the steps; raise Failed."""
    others = [name for name in functions(template) if name not in STEPS]
    return {name: load_sample(name) for name in [*STEPS, *others]}


def invoke_all(place: Place, template: Path) -> Iterator[Invoked]:
    """Invoke every function of the template with its event; raise Failed."""
    found = samples(cloudformation.load(template))
    stop_the_emulators_own(place)
    bodies: dict[str, Any] = {}
    for function, sample in found.items():
        step = STEPS.get(function, Step())
        event = step.fill(sample, Known(place=place, bodies=bodies))
        invoked = sam_invoke(template, function, event).expect(http=step.http, **step.body)
        bodies[function] = invoked.body
        yield invoked


def stop_the_emulators_own(place: Place) -> None:
    """Stop the emulator's own functions that would otherwise do the work of sam's.

    Its recovery would restart each run whose worker the emulator could not start.
    """
    names = deployed_functions(place.stack)
    lambda_ = place.stack.client("lambda")
    for function in ("WorkerFunction", "DelivererFunction", "RecoveryFunction"):
        lambda_.put_function_concurrency(FunctionName=names[function], ReservedConcurrentExecutions=0)
