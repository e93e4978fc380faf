"""The recovery: Lambda's records of failed invocations, and second looks, from a queue."""

import json
from dataclasses import replace
from typing import Any

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.job import Job
from darkroom.domain.recovery import FailedInvocation
from darkroom.wire.recovery import to_message

from testing.function_calls import a_record, message_of, send_snapshot, snapshot_body
from testing.functions import VALUES, Functions, event

NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


def stored() -> Job:
    return DynamoDBJobs(clients.dynamodb(), "jobs").get("case-42")


def claimed(functions: Functions) -> dict[str, Any]:
    """Submit the sample case and claim its run; return the job."""
    job: dict[str, Any] = functions.call("initiator", event("initiator")).json
    assert send_snapshot(functions, snapshot_body(job)).status == 200
    return job


def recover(functions: Functions, incoming: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = functions.load("recovery").handler(incoming, None)
    return result


def second_looks() -> list[dict[str, Any]]:
    """Return the bodies of the messages in the queue, however long they are delayed."""
    queue = VALUES["RECOVERY_QUEUE"]
    clients.sqs().set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "0"})
    found = clients.sqs().get_queue_attributes(
        QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    return [{}] * int(found["Attributes"]["ApproximateNumberOfMessagesDelayed"])


def make_due() -> None:
    """Let the time of silence pass."""
    job = stored()
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    jobs.save(replace(job, version=job.version + 1, due_at=1))


def look_of(job: dict[str, Any]) -> dict[str, Any]:
    claim = stored().claim
    return message_of({"kind": "look", "caseId": "case-42", "jobId": job["jobId"], "run": 1, "claim": claim})


def test_a_worker_is_suspected_and_replaced_when_it_stays_silent(functions: Functions) -> None:
    job = claimed(functions)
    assert recover(functions, a_record(job["jobId"])) == NOTHING_FAILED
    assert stored().suspicion is not None
    assert len(second_looks()) == 1
    look = look_of(job)
    make_due()
    assert recover(functions, look) == NOTHING_FAILED
    assert (stored().run, stored().status) == (2, "pending")
    response = functions.call("reader", event("reader")).json
    assert response["lastError"] == "a worker was lost, another takes over"


def test_a_second_look_that_comes_too_early_is_sent_again(functions: Functions) -> None:
    job = claimed(functions)
    recover(functions, a_record(job["jobId"]))
    assert recover(functions, look_of(job)) == NOTHING_FAILED
    assert len(second_looks()) == 2
    assert stored().run == 1


def test_a_worker_that_is_heard_keeps_its_run(functions: Functions) -> None:
    job = claimed(functions)
    recover(functions, a_record(job["jobId"]))
    look = look_of(job)
    heartbeat = snapshot_body(job, kind="heartbeat", sequence=2, sentAt=4_102_444_800_000)
    assert send_snapshot(functions, heartbeat).status == 200
    assert stored().suspicion is None
    assert recover(functions, look) == NOTHING_FAILED
    assert stored().run == 1


FOREIGN = [
    "",
    "no JSON",
    "[]",
    "null",
    "7",
    '"text"',
    "{}",
    {"requestPayload": None},
    {"requestPayload": []},
    {"requestPayload": {"caseId": "case-42"}},
    {"requestPayload": {"caseId": "case-42", "jobId": "j", "run": "one"}},
    {"requestPayload": {"caseId": "../..", "jobId": "j", "run": 1}},
    {"requestPayload": {"caseId": "case-42", "jobId": "j", "run": 1, "kind": "poll"}},
    {"requestContext": "x", "requestPayload": {"caseId": "case-42", "jobId": "j", "run": 1}},
    {"kind": "look"},
    {"kind": "look", "caseId": "case-42", "jobId": "j", "run": 1},
    {"kind": 7},
    {"Records": [{"s3": {"bucket": {"name": "other"}}}]},
    '{"requestPayload": {"caseId": "\\ud800", "jobId": "j", "run": 1}}',
    "[" * 100_000,
    json.dumps({"x": "y" * 200_000}),
]


@pytest.mark.parametrize("body", FOREIGN, ids=lambda body: str(body)[:40])
def test_a_message_of_another_kind_is_dropped_and_changes_nothing(functions: Functions, body: Any) -> None:
    claimed(functions)
    before = stored()
    assert recover(functions, message_of(body)) == NOTHING_FAILED
    assert stored() == before


@pytest.mark.parametrize(
    ("job_id", "order"),
    [(None, {"run": 0}), (None, {"run": 2}), (None, {"caseId": "case-0"}), ("another", {})],
)
def test_a_record_of_another_run_or_of_a_job_that_is_gone_changes_nothing(
    functions: Functions, job_id: str | None, order: dict[str, Any]
) -> None:
    job = claimed(functions)
    before = stored()
    assert recover(functions, a_record(job_id or job["jobId"], **order)) == NOTHING_FAILED
    assert stored() == before


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            {"errorType": "Runtime.OutOfMemory", "errorMessage": "RequestId: x Error: Runtime out of memory"},
            "memory",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with error: signal: killed"},
            "memory",
        ),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited with error: exit status 137"},
            "memory",
        ),
        ({"errorType": "MemoryError", "errorMessage": "the worker has no memory left"}, "memory"),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: x Error: Task timed out"}, "timeout"),
        ({"errorMessage": "2026-11-23T12:00:41Z x Task timed out after 300.00 seconds"}, "timeout"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}, "crash"),
        ({"errorType": "KeyError"}, "crash"),
        ("text", "crash"),
        (None, "crash"),
    ],
)
def test_the_reason_is_what_lambda_says(error: Any, reason: str) -> None:
    record = json.loads(event("recovery")["Records"][0]["body"]) | {"responsePayload": error}
    message = to_message(json.dumps(record))
    assert isinstance(message, FailedInvocation)
    assert message.reason == reason


def test_no_text_of_a_record_is_logged_at_its_full_length() -> None:
    long = "x" * 5_000
    record = json.loads(event("recovery")["Records"][0]["body"])
    record |= {
        "requestContext": {"requestId": long, "condition": long},
        "responsePayload": {"errorType": long},
    }
    message = to_message(json.dumps(record))
    assert isinstance(message, FailedInvocation)
    assert {len(text or "") for text in (message.request_id, message.condition, message.error_type)} == {200}


@pytest.mark.parametrize("kind", [None, "run"])
def test_an_order_that_names_its_kind_is_read_like_one_that_does_not(kind: str | None) -> None:
    record = json.loads(event("recovery")["Records"][0]["body"])
    record["requestPayload"] |= {"kind": kind} if kind else {}
    assert isinstance(to_message(json.dumps(record)), FailedInvocation)


def test_only_the_message_that_failed_comes_again(functions: Functions) -> None:
    job = claimed(functions)
    two = a_record(job["jobId"])
    [good] = two["Records"]
    two["Records"] = [good | {"messageId": "bad", "body": "{}"}, good | {"messageId": "good"}]
    clients.sqs().delete_queue(QueueUrl=VALUES["RECOVERY_QUEUE"])
    assert recover(functions, two) == {"batchItemFailures": [{"itemIdentifier": "good"}]}


def test_a_message_that_comes_again_is_logged_with_its_job(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    job = claimed(functions)
    clients.sqs().delete_queue(QueueUrl=VALUES["RECOVERY_QUEUE"])
    capsys.readouterr()
    recover(functions, a_record(job["jobId"]))
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["message"], line["case_id"], line["correlation_id"]) == (
        "message_not_processed",
        "case-42",
        job["jobId"],
    )


def test_lost_workers_are_counted_by_reason_and_dropped_events_apart(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    recover(functions, a_record("gone"))
    recover(functions, a_record("gone", condition="EventAgeExceeded"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    emitted = [line for line in lines if "_aws" in line]
    assert [line.get("WorkersLost") for line in emitted] == [[1.0], [1.0], None]
    assert [line.get("reason") for line in emitted] == [None, "memory", None]
    assert emitted[2]["EventsDropped"] == [1.0]


def test_nothing_of_the_order_is_logged_but_its_ids(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    job = claimed(functions)
    capsys.readouterr()
    recover(functions, a_record(job["jobId"]))
    recover(functions, message_of({"requestPayload": {"caseId": "a secret description", "run": 1}}))
    printed = capsys.readouterr().out
    assert '"reason":"memory"' in printed
    assert '"error_type":"Runtime.ExitError"' in printed
    assert '"outcome":"suspected"' in printed
    for secret in ("Torn letter", "coffee", "secret description", "Runtime exited", "https://"):
        assert secret not in printed
