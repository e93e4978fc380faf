"""The observer, whole, and what the reader tells of its counts."""

import json
from typing import Any

import pytest
from darkroom import cloudwatch
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs

from testing.function_calls import a_submission, an_event
from testing.functions import Functions, event, request

PATH = "/api/metrics/image-generation"


def measured(functions: Functions, window: str) -> Any:
    return functions.call("reader", request("GET", PATH, queryStringParameters={"window": window}))


def test_a_change_is_counted_once_and_told(functions: Functions) -> None:
    observer = functions.load("observer")
    for _ in range(3):
        assert observer.handler(a_submission(), None) == {"batchItemFailures": []}
        assert observer.handler(an_event(), None) == {"batchItemFailures": []}
    for window in ("1h", "24h", "7d"):
        answer = measured(functions, window)
        assert (answer.status, answer.json["window"]) == (200, window)
        assert (answer.json["casesSubmitted"], answer.json["imagesRequested"]) == (1, 2)
        assert answer.json["webhookLatencyP50"] == pytest.approx(0.012, rel=0.2)
        assert "successRate" not in answer.json


def test_metrics_are_emitted_once_in_the_embedded_format(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = functions.load("observer")
    for _ in range(2):
        observer.handler(a_submission(), None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [emitted] = [line for line in lines if "_aws" in line]
    [directive] = emitted["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Darkroom/test", [["service"]])
    assert (emitted["service"], emitted["ImagesRequested"]) == ("observer", [2.0])


def test_a_change_that_cannot_be_counted_comes_again_from_there_on(functions: Functions) -> None:
    clients.dynamodb().delete_table(TableName="jobs")
    two = a_submission()
    two["Records"].append(json.loads(json.dumps(two["Records"][0])))
    two["Records"][0]["dynamodb"]["SequenceNumber"] = "7"
    answer = functions.load("observer").handler(two, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "7"}]}


def test_the_window_is_one_of_three_and_a_day_by_default(functions: Functions) -> None:
    assert functions.call("reader", request("GET", PATH)).json["window"] == "24h"
    answer = measured(functions, "1w")
    assert (answer.status, answer.json["errors"]) == (400, [{"field": "window", "message": "1h, 24h, 7d"}])


def test_the_counts_are_for_operators(functions: Functions) -> None:
    incoming = request("GET", PATH)
    incoming["requestContext"]["authorizer"]["lambda"]["scopes"] = "submit read"
    assert functions.call("reader", incoming).status == 403


def test_every_metric_has_one_that_emits_it() -> None:
    assert frozenset().union(*cloudwatch.EMITTERS.values()) == frozenset(cloudwatch.Metric)


def test_each_change_rewrites_the_status_document_that_a_submission_named(functions: Functions) -> None:
    job = functions.call("initiator", event("initiator")).json
    prefix = "https://status.example.com/"
    assert job["statusUrl"].startswith(f"{prefix}status/case-42/")
    assert job["jobId"] not in job["statusUrl"]
    stored = DynamoDBJobs(clients.dynamodb(), "jobs").get("case-42")
    item = clients.dynamodb().get_item(TableName="jobs", Key={"pk": {"S": "case:case-42:image-job"}})["Item"]
    made = an_event(NewImage=item)
    assert functions.load("observer").handler(made, None) == {"batchItemFailures": []}
    found = clients.s3().get_object(Bucket="pictures", Key=job["statusUrl"].removeprefix(prefix))
    assert (found["ContentType"], found["CacheControl"]) == ("application/json", "public, max-age=2")
    told = json.loads(found["Body"].read())
    assert (told["jobId"], told["version"], told["status"]) == (stored.job_id, stored.version, "pending")
    assert "shareUrl" not in told


def test_without_an_address_no_status_document_is_written_or_named(functions: Functions) -> None:
    functions.load("initiator", STATUS_URL="")
    assert "statusUrl" not in functions.call("initiator", event("initiator")).json
    functions.load("observer", STATUS_URL="").handler(an_event(), None)
    assert "Contents" not in clients.s3().list_objects_v2(Bucket="pictures")
