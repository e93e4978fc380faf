"""The webhook: signatures, claims, progress, cancellation and continuation."""

import json
from typing import Any

import pytest

from testing.function_calls import picture_key, send_snapshot, snapshot_body, snapshot_with_a_picture
from testing.functions import Functions, event, request


@pytest.fixture
def job(functions: Functions) -> dict[str, Any]:
    """Return a job that waits for its worker."""
    submitted: dict[str, Any] = functions.call("initiator", event("initiator")).json
    return submitted


def stored(functions: Functions) -> dict[str, Any]:
    found: dict[str, Any] = functions.call("reader", event("reader")).json
    return found


def test_the_claim_makes_the_job_generating(functions: Functions, job: dict[str, Any]) -> None:
    response = send_snapshot(functions, snapshot_body(job))
    assert (response.status, response.json) == (200, {"success": True})
    assert stored(functions)["status"] == "generating"


def test_pictures_appear_and_a_replay_changes_nothing(functions: Functions, job: dict[str, Any]) -> None:
    send_snapshot(functions, snapshot_body(job))
    progress = snapshot_with_a_picture(job, "progress")
    assert send_snapshot(functions, progress).status == 200
    first = stored(functions)
    assert list(first["evidenceImages"]) == ["evidence-1"]
    assert send_snapshot(functions, progress).status == 200
    assert stored(functions) == first


def test_another_workers_claim_is_superseded(functions: Functions, job: dict[str, Any]) -> None:
    send_snapshot(functions, snapshot_body(job))
    response = send_snapshot(functions, snapshot_body(job, claim="another"))
    assert (response.status, response.json["code"]) == (409, "superseded")


def test_an_unknown_job_is_not_found(functions: Functions, job: dict[str, Any]) -> None:
    response = send_snapshot(functions, snapshot_body(job, caseId="case-43"))
    assert (response.status, response.json["code"]) == (404, "job_not_found")


def test_the_signature_of_the_sample_event_is_too_old(functions: Functions, job: dict[str, Any]) -> None:
    response = functions.call("webhook", event("webhook"))
    assert (response.status, response.json["code"]) == (401, "bad_signature")


@pytest.mark.parametrize("age_s", [301, -302])
def test_an_old_or_future_signature_is_refused(functions: Functions, job: dict[str, Any], age_s: int) -> None:
    assert send_snapshot(functions, snapshot_body(job), age_s=age_s).status == 401
    assert stored(functions)["version"] == 1


def test_a_signature_with_another_secret_is_refused(functions: Functions, job: dict[str, Any]) -> None:
    other = "YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMgbGVuZ3Ro"
    assert send_snapshot(functions, snapshot_body(job), secret=other).status == 401
    assert stored(functions)["version"] == 1


def test_an_unsigned_body_is_refused_before_it_is_parsed(functions: Functions, job: dict[str, Any]) -> None:
    made = event("webhook") | {"body": "{"}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        del made["headers"][name]
    assert functions.call("webhook", made).status == 401


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sequence": 0}, "sequence"),
        ({"sequence": 10**40}, "sequence"),
        ({"run": 10**40}, "run"),
        ({"costUsd": 1e308}, "costUsd"),
        ({"costUsd": float("inf")}, "costUsd"),
        ({"wastedUsd": float("nan")}, "wastedUsd"),
        ({"wastedUsd": -1}, "wastedUsd"),
        ({"kind": "g" * 41}, "kind"),
        ({"completedImages": 2}, "completedImages"),
        ({"status": "completed"}, "status"),
        ({"totalImages": 4}, "totalImages"),
        ({"run": 2}, "run"),
        ({"evidenceImages": {"ghost": "k"}, "completedImages": 1}, "ghost"),
        ({"evidenceImages": {"evidence-1": "k"}, "completedImages": 1}, "evidence-1"),
    ],
)
def test_a_contradictory_snapshot_is_refused_and_nothing_changes(
    functions: Functions, job: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    response = send_snapshot(functions, snapshot_body(job, **changes))
    assert response.status == 400
    assert field in {error["field"] for error in response.json["errors"]}
    assert stored(functions)["version"] == 1


def test_fields_of_a_newer_worker_are_ignored(functions: Functions, job: dict[str, Any]) -> None:
    assert send_snapshot(functions, snapshot_body(job, mood="grim")).status == 200


def test_the_worker_of_a_cancelled_job_is_stopped_and_its_last_snapshot_is_applied(
    functions: Functions, job: dict[str, Any]
) -> None:
    send_snapshot(functions, snapshot_body(job))
    cancelled = functions.call("initiator", request("DELETE", "/api/cases/case-42/image-job"))
    assert cancelled.json["status"] == "cancelled"
    retry = request("POST", "/api/cases/case-42/image-job/retry")
    busy = functions.call("initiator", retry)
    assert (busy.status, busy.json["code"], busy.headers["retry-after"]) == (409, "still_stopping", "10")

    heartbeat = send_snapshot(functions, snapshot_body(job, kind="heartbeat", sequence=2))
    assert (heartbeat.status, heartbeat.json["code"]) == (409, "cancelled")
    last = snapshot_body(
        job,
        kind="stopped",
        status="cancelled",
        sequence=3,
        completedImages=1,
        evidenceImages={"evidence-1": picture_key(job, "evidence-1")},
        costUsd=0.0336,
    )
    assert send_snapshot(functions, last).status == 200
    found = stored(functions)
    assert (found["status"], list(found["evidenceImages"]), found["costUsd"]) == (
        "cancelled",
        ["evidence-1"],
        0.0336,
    )
    assert functions.call("initiator", retry).status == 202


def test_a_continuation_schedules_the_next_run(functions: Functions, job: dict[str, Any]) -> None:
    send_snapshot(functions, snapshot_body(job))
    go_on = snapshot_with_a_picture(job, "continue")
    assert send_snapshot(functions, go_on).status == 200
    found = stored(functions)
    assert (found["status"], found["run"], found["retryCount"]) == ("pending", 2, 0)
    assert send_snapshot(functions, go_on).json["code"] == "superseded"


def test_a_snapshot_over_the_size_limit_is_refused(functions: Functions, job: dict[str, Any]) -> None:
    huge = snapshot_body(job, evidenceImages={f"e-{i}": "k" * 100 for i in range(3000)}, completedImages=3000)
    assert send_snapshot(functions, huge).status == 413
    assert stored(functions)["version"] == 1


def test_a_snapshot_with_a_duplicate_field_is_refused(functions: Functions, job: dict[str, Any]) -> None:
    text = json.dumps(snapshot_body(job))
    response = send_snapshot(functions, text[:-1] + ', "run": 1}')
    assert (response.status, response.json["errors"]) == (
        400,
        [{"field": "run", "message": "must be given only once"}],
    )
    assert stored(functions)["version"] == 1


def test_a_snapshot_may_begin_with_a_byte_order_mark(functions: Functions, job: dict[str, Any]) -> None:
    assert send_snapshot(functions, "\ufeff" + json.dumps(snapshot_body(job))).status == 200
    assert stored(functions)["status"] == "generating"


@pytest.mark.parametrize(
    "more",
    [
        {"mood": "grim"},
        {"case_id": "x"},
        {"mood": {"a": [{"b": 10**3000}]}},
        {"m" * 3000: "grim"},
        {"": None},
    ],
)
def test_any_field_that_a_newer_worker_adds_is_ignored(
    functions: Functions, job: dict[str, Any], more: dict[str, Any]
) -> None:
    assert send_snapshot(functions, snapshot_body(job, **more)).status == 200
