"""Faults of real processes: workers killed with SIGKILL, an unavailable webhook, events delivered twice."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.job import open_job
from darkroom.domain.run import work_order
from darkroom.domain.timing import Timing
from darkroom.wire.model import dump, parse
from darkroom.wire.order import WorkerEvent
from darkroom.wire.requests import SubmitRequest

from testing.real_time import wait_for
from testing.worker_processes import kill_workers, workers_of
from tests.stack.conftest import Api

COUNT = 6


def a_case(case_id: str) -> dict[str, Any]:
    items = [{"id": f"e-{i}", "name": f"Glove {i} of {case_id}", "description": "grey"} for i in range(COUNT)]
    return {"caseId": case_id, "evidence": items}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait until `holds` returns True."""
    wait_for(holds, bool, what)


def jobs_of(api: Api) -> DynamoDBJobs:
    return DynamoDBJobs(api.stack.client("dynamodb"), api.stack.table)


def let_the_silence_end(api: Api, case_id: str) -> None:
    """Make a job whose worker is suspected due now, instead of waiting for 25 s; then sweep."""
    jobs = jobs_of(api)
    wait_until(lambda: jobs.get(case_id).suspicion is not None or jobs.get(case_id).run > 1, "the record")
    if jobs.get(case_id).run > 1:
        return  # nobody had claimed the run: another one was started at once
    api.stack.client("dynamodb").update_item(
        TableName=api.stack.table,
        Key={"pk": {"S": f"case:{case_id}:image-job"}},
        UpdateExpression="SET dueAt = :past, runDueAt = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    invoked = api.stack.client("lambda").invoke(FunctionName=api.stack.sweeper, Payload=b"{}")
    report = json.loads(invoked["Payload"].read())
    assert case_id in report["rescheduled"] + report["ended"], report


def stored(api: Api, case_id: str) -> set[str]:
    """Return the ids of the shots that have a picture in the bucket."""
    listed = api.stack.client("s3").list_objects_v2(Bucket=api.stack.bucket, Prefix=f"cases/{case_id}/")
    return {item["Key"].split("/")[3] for item in listed.get("Contents", [])}


def requests(api: Api, case_id: str) -> dict[str, int]:
    """Return the number of requests to the provider for each shot."""
    by_name = api.provider_stats()["byName"]
    return {f"e-{i}": by_name.get(f"Glove {i} of {case_id}", 0) for i in range(COUNT)}


def before_the_claim(api: Api, case_id: str) -> None:
    wait_until(lambda: bool(workers_of(api.stack)), "a worker runs")


def after_the_claim(api: Api, case_id: str) -> None:
    wait_until(lambda: api.job(case_id)["status"] == "generating", "the claim")


def after_the_first_request(api: Api, case_id: str) -> None:
    wait_until(lambda: any(requests(api, case_id).values()), "the first request")


def after_the_first_picture(api: Api, case_id: str) -> None:
    wait_until(lambda: bool(stored(api, case_id)), "the first picture in storage")


def after_the_third_picture(api: Api, case_id: str) -> None:
    wait_until(lambda: len(stored(api, case_id)) >= 3, "three pictures in storage")


@pytest.mark.parametrize(
    "moment",
    [
        before_the_claim,
        after_the_claim,
        after_the_first_request,
        after_the_first_picture,
        after_the_third_picture,
    ],
)
def test_a_killed_worker_loses_no_picture_and_pays_for_none_twice(
    api: Api, moment: Callable[[Api, str], None]
) -> None:
    case_id = moment.__name__.replace("_", "-")
    api.configure_provider(latency_median=1.0, latency_p95=3.0)
    api.call("POST", "/api/generate-case-images", json=a_case(case_id)).raise_for_status()
    moment(api, case_id)
    kill_workers(api.stack)
    saved = stored(api, case_id)

    api.configure_provider()  # restarts the counts
    let_the_silence_end(api, case_id)
    job = api.ended(case_id)
    assert (job["status"], job["completedImages"]) == ("completed", COUNT)
    assert stored(api, case_id) == {f"e-{i}" for i in range(COUNT)}
    again = {shot for shot, times in requests(api, case_id).items() if times}
    assert again == {f"e-{i}" for i in range(COUNT)} - saved, "an adopted picture was requested again"


def test_a_killed_worker_is_replaced_without_waiting_for_its_lease(api: Api) -> None:
    api.configure_provider(latency_median=3.0, latency_p95=5.0)
    api.call("POST", "/api/generate-case-images", json=a_case("replaced")).raise_for_status()
    after_the_first_request(api, "replaced")
    kill_workers(api.stack)
    api.configure_provider()
    job = api.ended("replaced")
    assert (job["status"], job["run"], job["completedImages"]) == ("completed", 2, COUNT)
    timeline = api.call("GET", "/api/cases/replaced/image-job/timeline").json()
    actions = [entry["action"] for entry in timeline["history"]]
    assert actions == ["submitted", "claimed", "suspected", "recovered", "claimed", "ended"]


def test_a_webhook_that_is_away_for_a_while_costs_nothing(api: Api) -> None:
    functions = api.stack.client("lambda")
    [webhook] = [
        f["FunctionName"]
        for f in functions.list_functions()["Functions"]
        if "WebhookFunction" in f["FunctionName"]
    ]
    api.configure_provider(latency_median=1.0, latency_p95=1.5)
    api.call("POST", "/api/generate-case-images", json=a_case("away")).raise_for_status()
    after_the_claim(api, "away")
    functions.put_function_concurrency(FunctionName=webhook, ReservedConcurrentExecutions=0)
    refused = api.call("POST", "/api/webhook/image-progress", json={})
    assert refused.status_code in (429, 500, 502, 503)
    wait_until(lambda: len(stored(api, "away")) == COUNT, "all pictures in storage")
    assert api.job("away")["status"] == "generating"
    functions.delete_function_concurrency(FunctionName=webhook)
    job = api.ended("away")
    assert (job["status"], job["run"], job["completedImages"]) == ("completed", 1, COUNT)
    assert set(requests(api, "away").values()) == {1}


def test_an_event_delivered_twice_is_paid_for_once(api: Api) -> None:
    case = parse(SubmitRequest, json.dumps(a_case("doubled")).encode()).to_case()
    job = open_job(case, job_id="1" * 32, salt="salt", now=int(time.time() * 1000), timing=Timing())
    jobs_of(api).create(job, case)
    url = f"{api.stack.api_url}/api/webhook/image-progress"
    payload = dump(WorkerEvent.of(work_order(job, case, webhook_url=url))).encode()
    for _ in range(2):
        api.stack.client("lambda").invoke(
            FunctionName=api.stack.worker, InvocationType="Event", Payload=payload
        )
    ended = api.ended("doubled")
    assert (ended["status"], ended["run"]) == ("completed", 1)
    assert set(requests(api, "doubled").values()) == {1}


def test_a_cancelled_job_stops_its_worker_and_keeps_what_was_made(api: Api) -> None:
    api.configure_provider(latency_median=0.3, latency_p95=0.4, script={"Glove 5 of stopped": ["hang"]})
    path = "/api/cases/stopped/image-job"
    api.call("POST", "/api/generate-case-images", json=a_case("stopped")).raise_for_status()
    wait_until(lambda: api.job("stopped")["completedImages"] == COUNT - 1, "all pictures but one")
    # The worker has just reported, so it will learn in ten seconds at most that it must stop.
    cancelled = api.call("DELETE", path)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    busy = api.call("POST", f"{path}/retry")
    assert (busy.status_code, busy.json()["code"]) == (409, "still_stopping")
    assert 1 <= int(busy.headers["retry-after"]) <= 10

    wait_until(lambda: api.provider_stats()["inFlight"] == 0, "the request in flight was cancelled")
    wait_until(lambda: api.call("POST", f"{path}/retry").status_code == 202, "the worker has stopped")
    job = api.ended("stopped")
    assert (job["status"], job["run"], job["completedImages"]) == ("completed", 2, COUNT)
    assert requests(api, "stopped") == {f"e-{i}": 1 for i in range(COUNT - 1)} | {"e-5": 2}
