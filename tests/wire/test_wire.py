"""Validation of requests, and round trips of orders, snapshots and jobs."""

import json
from typing import Any

import pytest
from darkroom.domain.errors import InvalidInput
from darkroom.domain.run import work_order
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.wire.job import ImageStatusView, JobView
from darkroom.wire.model import dump, parse
from darkroom.wire.order import WorkerEvent
from darkroom.wire.requests import SubmitRequest
from darkroom.wire.snapshot import ImageProgressUpdate

from testing.builders import NOW, TIMING, a_case, a_job, a_snapshot

CASE = a_case(evidence=2, locations=1)


def an_item(**changes: Any) -> dict[str, Any]:
    return {"id": "evidence-1", "name": "Key", "description": "brass", **changes}


def a_body(**changes: Any) -> dict[str, Any]:
    return {"caseId": "case-1", "evidence": [an_item()], "locations": [], **changes}


def many(count: int) -> list[dict[str, Any]]:
    return [an_item(id=f"e-{i}") for i in range(count)]


def refused(body: object) -> InvalidInput:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as raised:
        parse(SubmitRequest, raw)
    return raised.value


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"evidence": [an_item()]}, "caseId", "required"),
        (a_body(caseId=""), "caseId", "[A-Za-z0-9_-]{1,64}"),
        (a_body(caseId="a" * 65), "caseId", "[A-Za-z0-9_-]{1,64}"),
        (a_body(caseId="../x"), "caseId", "[A-Za-z0-9_-]{1,64}"),
        (a_body(caseId="case-1\n"), "caseId", "[A-Za-z0-9_-]{1,64}"),
        (a_body(caseId=7), "caseId", "string"),
        (a_body(evidence=[]), "body", "1 to 100 items"),
        (a_body(evidence=many(60), locations=[an_item(id=f"l-{i}") for i in range(41)]), "body", "1 to 100"),
        (a_body(evidence=many(101)), "evidence", "at most 100"),
        (a_body(locations=[an_item()]), "body", "evidence-1"),
        (a_body(evidence=[an_item(id="a b")]), "evidence.0.id", "[A-Za-z0-9_-]{1,64}"),
        (a_body(evidence=[an_item(name="")]), "evidence.0.name", "at least 1"),
        (a_body(evidence=[an_item(name=" \t ")]), "evidence.0.name", "pattern"),
        (a_body(evidence=[an_item(name="n" * 201)]), "evidence.0.name", "at most 200"),
        (a_body(evidence=[an_item(description="d" * 2001)]), "evidence.0.description", "at most 2000"),
        (a_body(evidence=[{"id": "a", "name": "b"}]), "evidence.0.description", "required"),
        (a_body(evidence=[an_item(colour="red")]), "evidence.0.colour", "not permitted"),
        (a_body(evidence={"id": "a"}), "evidence", "array"),
        (a_body(evidence=["key"]), "evidence.0", "object"),
        (a_body(evidence=None), "evidence", "array"),
        (a_body(webhookUrl="https://x"), "webhookUrl", "not permitted"),
        ([], "body", "object"),
        (b"", "body", "Invalid JSON"),
        (b'{"caseId": "case-1"', "body", "Invalid JSON"),
        (b"\xff\xfe", "body", "Invalid JSON"),
        (b'{"caseId": "\\ud800"}', "caseId", "surrogate"),
        (b'{"caseId": "a", "caseId": "b"}', "caseId", "once"),
    ],
)
def test_bad_input_names_the_field_and_what_is_allowed(body: object, field: str, says: str) -> None:
    error = refused(body)
    messages = {e.field: e.message for e in error.errors}
    assert field in messages
    assert says in messages[field]


def test_an_error_does_not_repeat_what_was_sent() -> None:
    error = refused(a_body(evidence=[an_item(name=7, description="the butler did it")]))
    assert "butler" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("empty", ["evidence", "locations"])
def test_one_of_the_lists_may_be_empty_or_missing(empty: str) -> None:
    other = {"evidence": "locations", "locations": "evidence"}[empty]
    for body in ({other: [an_item()], empty: []}, {other: [an_item()]}):
        case = parse(SubmitRequest, json.dumps({"caseId": "c", **body}).encode()).to_case()
        assert [shot.kind for shot in case.shots] == [other.removesuffix("s")]


def test_a_work_order_is_the_same_after_a_round_trip() -> None:
    order = work_order(a_job(CASE), CASE, webhook_url="https://x/hook")
    assert parse(WorkerEvent, dump(WorkerEvent.of(order)).encode()).to_order() == order


def test_a_worker_ignores_fields_of_a_newer_version() -> None:
    order = work_order(a_job(CASE), CASE, webhook_url="https://x/hook")
    event = json.loads(dump(WorkerEvent.of(order)))
    event["evidence"][0]["mood"] = "grim"
    assert parse(WorkerEvent, {**event, "tomorrow": 1}).to_order() == order


@pytest.mark.parametrize("kind", SnapshotKind)
def test_a_snapshot_is_the_same_after_a_round_trip(kind: SnapshotKind) -> None:
    done, failed = ("evidence-1",), ("evidence-2", "location-1")
    snapshot = a_snapshot(CASE, kind, 3, done=done, failed=failed, cost=67_200)
    update = parse(ImageProgressUpdate, dump(ImageProgressUpdate.of(snapshot)).encode())
    assert update.to_snapshot() == snapshot


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"completedImages": 2}, "completedImages"),
        ({"failedIds": []}, "failedIds"),
        ({"status": "completed"}, "status"),
    ],
)
def test_a_snapshot_that_contradicts_itself_is_refused(changes: dict[str, Any], field: str) -> None:
    snapshot = a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("evidence-1",), failed=("evidence-2",))
    body = {**json.loads(dump(ImageProgressUpdate.of(snapshot))), **changes}
    with pytest.raises(InvalidInput) as raised:
        parse(ImageProgressUpdate, json.dumps(body).encode()).to_snapshot()
    assert [e.field for e in raised.value.errors] == [field]


def test_the_view_of_a_job_has_the_documented_names() -> None:
    job = apply(a_job(CASE), a_snapshot(CASE, SnapshotKind.CLAIM, 1), now=NOW, timing=TIMING)
    done = a_snapshot(CASE, SnapshotKind.PROGRESS, 2, done=("location-1",), failed=("evidence-2",))
    job = apply(job, done, now=NOW, timing=TIMING)
    view = json.loads(dump(JobView.of(job, lambda shot_id: f"link-to-{shot_id}")))
    assert view == {
        "caseId": "case-1",
        "jobId": "job-1",
        "run": 1,
        "version": 3,
        "status": "generating",
        "createdAt": NOW,
        "startedAt": NOW,
        "scheduledAt": NOW,
        "deadlineAt": NOW + TIMING.deadline,
        "evidence": [
            {"id": "evidence-1", "name": "Evidence no 1"},
            {"id": "evidence-2", "name": "Evidence no 2"},
        ],
        "locations": [{"id": "location-1", "name": "Location no 1"}],
        "totalImages": 3,
        "completedImages": 1,
        "failedImages": 1,
        "evidenceImages": {},
        "locationImages": {"location-1": "link-to-location-1"},
        "failedIds": ["evidence-2"],
        "errors": {"evidence-2": {"code": "overloaded", "message": "too busy", "retryable": True}},
        "retryCount": 0,
        "lastError": "too busy",
        "costUsd": 0.0,
        "wastedUsd": 0.0,
    }


def test_the_status_for_old_clients_is_ready_when_all_pictures_are_made() -> None:
    ids = tuple(s.id for s in CASE.shots)
    job = a_job(CASE)
    assert json.loads(dump(ImageStatusView.of(job))) == {"status": "pending"}
    for snapshot in (
        a_snapshot(CASE, SnapshotKind.CLAIM, 1),
        a_snapshot(CASE, SnapshotKind.END, 2, done=ids),
    ):
        job = apply(job, snapshot, now=NOW, timing=TIMING)
    assert json.loads(dump(ImageStatusView.of(job))) == {"status": "ready", "completedAt": NOW}
