"""The timeline of a case on the running stack."""

from typing import Any

import pytest

from tests.stack.conftest import Api, a_case


def timeline(api: Api, case_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.call("GET", f"/api/cases/{case_id}/image-job/timeline").json()
    return found


def test_the_timeline_shows_every_attempt_and_the_history_of_the_job(api: Api) -> None:
    case = a_case("the-timeline")
    api.configure_provider(
        script={"Key 0 of the-timeline": ["503"], "Key 1 of the-timeline": ["safety", "safety", "safety"]}
    )
    api.call("POST", "/api/generate-case-images", json=case)
    job = api.ended("the-timeline")
    api.configure_provider()
    found = timeline(api, "the-timeline")
    assert [(entry["action"], entry["by"]) for entry in found["history"]] == [
        ("submitted", "default"),
        ("claimed", "worker"),
        ("ended", "worker"),
    ]
    [run] = found["runs"]
    attempts = [event for event in run["events"] if event["kind"] == "attempt"]
    outcomes = {i: [a["outcome"] for a in attempts if a["shotId"] == i] for i in ("e-0", "e-1", "e-2")}
    assert outcomes == {"e-0": ["overloaded", "made"], "e-1": ["refused"], "e-2": ["made"]}
    assert sum(a.get("costUsd", 0) for a in attempts) == pytest.approx(job["costUsd"])
    assert all(a["milliseconds"] > 0 and a["at"] >= found["createdAt"] for a in attempts)
    [batch] = [event for event in run["events"] if event["kind"] == "batch"]
    assert (batch["batch"], batch["outcome"]) == (1, "2 of 3")
    snapshots = [event for event in run["events"] if event["kind"] == "snapshot"]
    assert (snapshots[0]["sequence"], snapshots[0]["outcome"]) == (1, "delivered")
    assert (found["historyOmitted"], run["omitted"]) == (0, 0)

    api.call("POST", "/api/cases/the-timeline/image-job/retry")
    api.ended("the-timeline")
    found = timeline(api, "the-timeline")
    assert [(entry["action"], entry["run"]) for entry in found["history"]][3:] == [
        ("retried", 2),
        ("claimed", 2),
        ("ended", 2),
    ]
    assert [run["run"] for run in found["runs"]] == [1, 2]


def test_strangers_and_other_cases_get_no_timeline(api: Api) -> None:
    path = "/api/cases/nobody-knows-it/image-job/timeline"
    assert api.call("GET", path).status_code == 404
    assert api.http.get(api.stack.api_url + path).status_code == 401
