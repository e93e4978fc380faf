"""The observer counts what happens to a case from the table's stream."""

from typing import Any

from testing.real_time import wait_for
from tests.stack.conftest import Api, a_case


def metrics(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = api.call("GET", "/api/metrics/image-generation?window=1h").json()
    return found


def test_the_result_of_a_case_is_counted_from_the_stream(api: Api) -> None:
    api.configure_provider(script={"Key 1 of counts": ["safety"]})
    before = metrics(api)
    api.call("POST", "/api/generate-case-images", json=a_case("counts"))
    job = api.ended("counts")
    api.configure_provider()

    def added(name: str) -> float:
        return float(after[name] - before[name])

    after = wait_for(
        lambda: metrics(api),
        lambda found: found["jobsPartial"] != before["jobsPartial"],
        "the count of the job's end",
        within_s=30,
    )
    assert (added("casesSubmitted"), added("imagesRequested")) == (1, 3)
    assert (added("imagesCompleted"), added("imagesRefused"), added("imagesFailed")) == (2, 1, 0)
    assert abs(added("costUsd") - job["costUsd"]) < 1e-9
    assert after["generationTimeP50"] > 0
    assert 0 < after["webhookLatencyP50"] < 10
    assert after["stuckNow"] == 0
