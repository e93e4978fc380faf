"""A job explains itself: what happened, on the running stack."""

from typing import Any

import pytest

from tests.stack.conftest import Api
from tests.stack.test_stack import a_case


def timeline(api: Api, case_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.call("GET", f"/api/cases/{case_id}/image-job/timeline").json()
    return found


def test_a_case_with_a_late_try_and_a_refusal_tells_all_of_it(api: Api) -> None:
    case = a_case("the-timeline")
    api.set_studio(
        script={"Key 0 of the-timeline": ["503"], "Key 1 of the-timeline": ["safety", "safety", "safety"]}
    )
    api.call("POST", "/api/generate-case-images", json=case)
    job = api.ended("the-timeline")
    api.set_studio()
    told = timeline(api, "the-timeline")
    assert [(m["action"], m["by"]) for m in told["history"]] == [
        ("submitted", "default"),
        ("claimed", "worker"),
        ("ended", "worker"),
    ]
    [run] = told["runs"]
    tries = [event for event in run["events"] if event["kind"] == "attempt"]
    outcomes = {i: [t["outcome"] for t in tries if t["shotId"] == i] for i in ("e-0", "e-1", "e-2")}
    assert outcomes == {"e-0": ["overloaded", "made"], "e-1": ["refused"], "e-2": ["made"]}
    assert sum(t.get("costUsd", 0) for t in tries) == pytest.approx(job["costUsd"])
    assert all(t["milliseconds"] > 0 and t["at"] >= told["createdAt"] for t in tries)
    [batch] = [event for event in run["events"] if event["kind"] == "batch"]
    assert (batch["batch"], batch["outcome"]) == (1, "2 of 3")
    snapshots = [event for event in run["events"] if event["kind"] == "snapshot"]
    assert (snapshots[0]["sequence"], snapshots[0]["outcome"]) == (1, "delivered")
    assert (told["historyOmitted"], run["omitted"]) == (0, 0)

    api.call("POST", "/api/cases/the-timeline/image-job/retry")
    api.ended("the-timeline")
    told = timeline(api, "the-timeline")
    assert [(m["action"], m["run"]) for m in told["history"]][3:] == [
        ("retried", 2),
        ("claimed", 2),
        ("ended", 2),
    ]
    assert [run["run"] for run in told["runs"]] == [1, 2]


def test_strangers_and_other_cases_get_no_timeline(api: Api) -> None:
    path = "/api/cases/nobody-knows-it/image-job/timeline"
    assert api.call("GET", path).status_code == 404
    assert api.http.get(api.stack.api_url + path).status_code == 401
