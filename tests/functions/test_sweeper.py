"""The sweeper."""

import json
from dataclasses import replace
from typing import Any

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.job import Status

from testing.builders import a_case, a_job, keys_of
from testing.functions import Context, Functions, event

REPORT: dict[str, Any] = {
    "rescheduled": [],
    "ended": [],
    "refused": [],
    "stuck": [],
    "failed": {},
    "left": [],
}


def test_an_overdue_job_is_rescheduled_and_a_fresh_one_left_alone(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    overdue = replace(a_job(), due_at=1, deadline_at=4_102_444_800_000)
    jobs.create(overdue, a_case())
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == REPORT | {"rescheduled": ["case-1"]}
    assert (jobs.get("case-1").run, jobs.get("case-1").retry_count) == (2, 1)
    assert jobs.get("case-42").run == 1
    json.dumps(result)


def test_a_second_sweep_finds_nothing(functions: Functions) -> None:
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    sweep = functions.load("sweeper").handler
    sweep(event("sweeper"), Context())
    assert sweep(event("sweeper"), Context()) == REPORT


def test_a_job_that_nobody_can_read_holds_up_no_other(functions: Functions) -> None:
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    for case_id in ("case-1", "case-2"):
        case = a_case(case_id=case_id)
        jobs.create(replace(a_job(case), due_at=1, deadline_at=4_102_444_800_000), case)
    clients.dynamodb().update_item(
        TableName="jobs",
        Key={"pk": {"S": "case:case-1:image-job"}},
        UpdateExpression="SET #status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": "paused"}},
    )
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == REPORT | {"rescheduled": ["case-2"], "failed": {"case-1": "Unreadable"}}


@pytest.mark.usefixtures("throttled_lambda")
def test_a_worker_that_cannot_be_started_is_reported(functions: Functions) -> None:
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == REPORT | {"rescheduled": ["case-1"], "refused": ["case-1"]}


def test_pictures_that_were_never_reported_are_adopted(functions: Functions) -> None:
    case = a_case(evidence=1, locations=0)
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(case), due_at=1), case)
    [key] = keys_of(case, "evidence-1").values()
    clients.s3().put_object(Bucket="pictures", Key=key, Body=b"jpeg")
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == REPORT | {"ended": ["case-1"]}
    assert DynamoDBJobs(clients.dynamodb(), "jobs").get("case-1").status == "completed"


def test_a_stuck_job_is_logged_as_a_warning(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    stuck = replace(a_job(), status=Status.GENERATING, claim="c", due_at=1, scheduled_at=1)
    DynamoDBJobs(clients.dynamodb(), "jobs").create(stuck, a_case())
    assert functions.load("sweeper").handler(event("sweeper"), Context())["stuck"] == ["case-1"]
    assert '"message":"jobs_stuck"' in capsys.readouterr().out
