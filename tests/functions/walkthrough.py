"""Call every function in every way that sends a request to AWS."""

import json
from dataclasses import replace
from typing import Any

from botocore.stub import Stubber
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.domain.callbacks import Delivery
from darkroom.domain.receivers import CallbackEvent

from local import fake_gemini
from testing.builders import a_case, a_job
from testing.function_calls import (
    a_record,
    change_event,
    message_of,
    run_worker,
    send_snapshot,
    serving,
    snapshot_body,
    submission_event,
)
from testing.functions import TOKEN, Context, Functions, event, request

JOB = "/api/cases/case-42/image-job"


def call_everything(functions: Functions) -> None:
    """Make every function send every request to AWS that it can send."""
    link = submit_and_authorize(functions)
    run_worker(functions, fake_gemini.Config(latency_median=0), maxCostUsd=5)
    send(functions, "GET", JOB, images="inline")
    found = send(functions, "GET", JOB)
    send(functions, "GET", JOB + "/timeline")
    send(functions, "GET", JOB + "/request")
    send(functions, "GET", "/api/cases/case-42/image-status")
    send(functions, "GET", "/api/metrics/image-generation")
    [picture, _] = found.json["evidenceImages"].values()
    send(functions, "GET", "/api/cases/case-42/images/evidence-1", s=picture.partition("?s=")[2])
    assert link
    again = submit(functions, "again")
    send(functions, "DELETE", "/api/cases/again/image-job")
    send(functions, "POST", "/api/cases/again/image-job/retry")
    run_worker(functions, fake_gemini.Config(latency_median=0), caseId="again", jobId=again["jobId"], run=2)
    for other in ("openai", "bedrock"):
        run_worker_of(functions, other)
    job = submit(functions, "continued")
    for number, kind in enumerate(("claim", "continue"), 1):
        response = send_snapshot(
            functions, snapshot_body(job, caseId="continued", kind=kind, sequence=number)
        )
        assert response.status == 200, response.text
    send(functions, "DELETE", "/api/cases/continued/image-job")
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    functions.load("observer").handler(submission_event(), None)
    functions.load("observer").handler(change_event(), None)
    changed = change_event()
    changed["Records"][0]["dynamodb"]["NewImage"] |= {
        "version": {"N": "3"},
        "images": {"M": {"evidence-1": {"S": "a-key"}}},
    }
    functions.load("observer").handler(changed, None)
    lose_workers(functions)
    version = attempt_deliveries(functions)
    functions.load("sweeper").handler({}, Context())
    send(functions, "GET", JOB + "/callbacks")
    send(functions, "POST", f"{JOB}/callbacks/{version}/replay")
    send(functions, "GET", "/api/callback-secret")


def lose_workers(functions: Functions) -> None:
    """Report a failed invocation to the recovery, and look at its worker again when it has been silent."""
    job = submit(functions, "lost")
    claim = snapshot_body(job, caseId="lost", kind="claim", sequence=1)
    assert send_snapshot(functions, claim).status == 200
    recovery = functions.load("recovery")
    assert recovery.handler(a_record(job["jobId"], caseId="lost"), None) == {"batchItemFailures": []}
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    suspected = jobs.get("lost")
    jobs.save(replace(suspected, version=suspected.version + 1, due_at=1))
    look = {"kind": "look", "caseId": "lost", "jobId": job["jobId"], "run": 1, "claim": claim["claim"]}
    assert recovery.handler(message_of(look), None) == {"batchItemFailures": []}
    assert jobs.get("lost").run == 2


def attempt_deliveries(functions: Functions) -> int:
    """Attempt a delivery to a receiver that does not exist, and return its version."""
    stored = DynamoDBJobs(clients.dynamodb(), "jobs").get("case-42")
    outbox = DynamoDBOutbox(clients.dynamodb(), "jobs")
    delivery = Delivery(
        case_id="case-42",
        job_id=stored.job_id,
        version=stored.version,
        event=CallbackEvent.PROGRESS,
        url="http://127.0.0.1:1/",
        caller="game",
        body="{}",
        created_at=1,
        due_at=1,
    )
    outbox.add(replace(delivery, version=stored.version - 1))  # for the sweeper
    outbox.add(delivery)
    order = {"caseId": "case-42", "jobId": stored.job_id, "version": stored.version}
    assert functions.load("deliverer").handler(order, None) == {"state": "pending"}
    return stored.version


def submit_and_authorize(functions: Functions) -> str:
    job = functions.call("initiator", event("initiator")).json
    token = str(job["shareUrl"]).partition("#")[2]
    for bearer in (TOKEN, token):
        incoming = event("authorizer")
        incoming["identitySource"] = [f"Bearer {bearer}"]
        assert functions.load("authorizer").handler(incoming, None)["isAuthorized"]
    return token


def submit(functions: Functions, case_id: str) -> dict[str, Any]:
    body = json.loads(event("initiator")["body"]) | {"caseId": case_id}
    job: dict[str, Any] = functions.call("initiator", event("initiator") | {"body": json.dumps(body)}).json
    return job


def run_worker_of(functions: Functions, provider: str) -> None:
    """Run a worker of another provider, which refuses every request."""
    job = submit(functions, f"by-{provider}")
    with (
        serving(fake_gemini.Server(fake_gemini.Config())) as nowhere,
        Stubber(clients.bedrock("us-west-2", 14)) as stubber,
    ):
        functions.setenv("OPENAI_URL", nowhere)
        functions.load("worker", IMAGE_PROVIDER=provider)
        for _ in range(3):
            stubber.add_client_error("invoke_model", "AccessDeniedException", http_status_code=403)
        run_worker(functions, fake_gemini.Config(latency_median=0), caseId=job["caseId"], jobId=job["jobId"])


def send(functions: Functions, method: str, path: str, **query: str) -> Any:
    name = "callbacks" if "callback" in path else "reader" if method == "GET" else "initiator"
    response = functions.call(name, request(method, path, queryStringParameters=query))
    assert response.status < 400, response.text
    return response
