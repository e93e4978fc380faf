"""The sweeper, whole."""

import json
from dataclasses import replace

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb_jobs import DynamoDBJobs

from tests.builders import a_case, a_job
from tests.functions.conftest import Context, Functions, event


def test_an_overdue_job_is_armed_again_and_a_fresh_one_left_alone(functions: Functions) -> None:
    functions.call("initiator", event("initiator"))
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    overdue = replace(a_job(), due_at=1, deadline_at=4_102_444_800_000)
    jobs.create(overdue, a_case())
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == {"rearmed": ["case-1"], "ended": [], "refused": []}
    assert (jobs.get("case-1").run, jobs.get("case-1").retry_count) == (2, 1)
    assert jobs.get("case-42").run == 1
    json.dumps(result)


def test_a_second_sweep_finds_nothing(functions: Functions) -> None:
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    sweep = functions.load("sweeper").handler
    sweep(event("sweeper"), Context())
    assert sweep(event("sweeper"), Context()) == {"rearmed": [], "ended": [], "refused": []}


@pytest.mark.usefixtures("throttled_lambda")
def test_a_worker_that_cannot_be_started_is_reported(functions: Functions) -> None:
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    result = functions.load("sweeper").handler(event("sweeper"), Context())
    assert result == {"rearmed": ["case-1"], "ended": [], "refused": ["case-1"]}
