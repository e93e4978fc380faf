"""The observer, and the metrics that the reader returns."""

import json
from typing import Any

import pytest
from darkroom import cloudwatch
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs

from testing.function_calls import change_event, submission_event
from testing.functions import Functions, event, request

PATH = "/api/metrics/image-generation"


def measured(functions: Functions, window: str) -> Any:
    return functions.call("reader", request("GET", PATH, queryStringParameters={"window": window}))


def test_a_change_is_counted_once_and_is_in_the_metrics(functions: Functions) -> None:
    observer = functions.load("observer")
    for _ in range(3):
        assert observer.handler(submission_event(), None) == {"batchItemFailures": []}
        assert observer.handler(change_event(), None) == {"batchItemFailures": []}
    for window in ("1h", "24h", "7d"):
        response = measured(functions, window)
        assert (response.status, response.json["window"]) == (200, window)
        assert (response.json["casesSubmitted"], response.json["imagesRequested"]) == (1, 2)
        assert response.json["webhookLatencyP50"] == pytest.approx(0.012, rel=0.2)
        assert "successRate" not in response.json


def test_metrics_are_emitted_once_in_the_embedded_format(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    observer = functions.load("observer")
    for _ in range(2):
        observer.handler(submission_event(), None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [emitted] = [line for line in lines if "_aws" in line]
    [directive] = emitted["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Darkroom/test", [["service"]])
    assert (emitted["service"], emitted["ImagesRequested"]) == ("observer", [2.0])


def test_the_stream_is_delivered_again_from_a_failed_change_on(functions: Functions) -> None:
    clients.dynamodb().delete_table(TableName="jobs")
    two = submission_event()
    two["Records"].append(json.loads(json.dumps(two["Records"][0])))
    two["Records"][0]["dynamodb"]["SequenceNumber"] = "7"
    response = functions.load("observer").handler(two, None)
    assert response == {"batchItemFailures": [{"itemIdentifier": "7"}]}


def test_a_change_that_nobody_can_read_holds_up_no_other(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    two = submission_event()
    two["Records"].append(json.loads(json.dumps(two["Records"][0])))
    two["Records"][0]["dynamodb"]["NewImage"]["status"] = {"S": "paused"}
    assert functions.load("observer").handler(two, None) == {"batchItemFailures": []}
    printed = capsys.readouterr().out
    assert '"message":"change_unreadable"' in printed
    assert '"changes":1' in printed


def test_the_window_is_one_of_three_and_a_day_by_default(functions: Functions) -> None:
    assert functions.call("reader", request("GET", PATH)).json["window"] == "24h"
    response = measured(functions, "1w")
    assert (response.status, response.json["errors"]) == (
        400,
        [{"field": "window", "message": "1h, 24h, 7d"}],
    )


def test_metrics_need_the_scope_operate(functions: Functions) -> None:
    incoming = request("GET", PATH)
    incoming["requestContext"]["authorizer"]["lambda"]["scopes"] = "submit read"
    assert functions.call("reader", incoming).status == 403


def test_every_metric_is_emitted_by_a_function() -> None:
    assert frozenset().union(*cloudwatch.EMITTERS.values()) == frozenset(cloudwatch.Metric)


def test_each_change_writes_the_status_document_at_the_returned_url(functions: Functions) -> None:
    job = functions.call("initiator", event("initiator")).json
    prefix = "https://status.example.com/"
    assert job["statusUrl"].startswith(f"{prefix}status/case-42/")
    assert job["jobId"] not in job["statusUrl"]
    stored = DynamoDBJobs(clients.dynamodb(), "jobs").get("case-42")
    item = clients.dynamodb().get_item(TableName="jobs", Key={"pk": {"S": "case:case-42:image-job"}})["Item"]
    made = change_event(NewImage=item)
    assert functions.load("observer").handler(made, None) == {"batchItemFailures": []}
    found = clients.s3().get_object(Bucket="pictures", Key=job["statusUrl"].removeprefix(prefix))
    assert (found["ContentType"], found["CacheControl"]) == ("application/json", "public, max-age=2")
    document = json.loads(found["Body"].read())
    assert (document["jobId"], document["version"], document["status"]) == (
        stored.job_id,
        stored.version,
        "pending",
    )
    assert "shareUrl" not in document


def test_without_a_status_url_no_status_document_is_written(functions: Functions) -> None:
    functions.load("initiator", STATUS_URL="")
    assert "statusUrl" not in functions.call("initiator", event("initiator")).json
    functions.load("observer", STATUS_URL="").handler(change_event(), None)
    assert "Contents" not in clients.s3().list_objects_v2(Bucket="pictures")
