"""Both clients against a scripted server, with a clock that only pauses advance."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import Case, Conflict, Item, MissingPictures, NotFound, TimedOut

from tests.client.caller import URL, Caller
from tests.client.server import FAILED, SHARE, a_timeline, accepted, job_response, problem, the_job

DONE = the_job(Status.COMPLETED, version=4, done=3)
CASE = Case(case_id="case-1", evidence=[Item(id="evidence-1", name="Key", description="brass")])


def test_a_submission_sends_the_case_and_the_token(caller: Caller) -> None:
    caller.script(accepted(the_job()))
    job = caller.call("submit", CASE, share="retry")
    [sent] = caller.requests
    assert (sent.method, str(sent.url)) == ("POST", f"{URL}/api/generate-case-images?share=retry")
    assert sent.headers["authorization"] == "Bearer secret"
    assert json.loads(sent.content)["evidence"] == [
        {"id": "evidence-1", "name": "Key", "description": "brass"}
    ]
    assert (job.case_id, job.share_url) == ("case-1", SHARE)


def test_a_watch_polls_at_the_servers_pace_and_yields_only_changes(caller: Caller) -> None:
    unchanged = httpx.Response(304, headers={"retry-after": "3"})
    caller.script(job_response(the_job()), unchanged, unchanged, job_response(DONE))
    states = caller.call("watch", "case-1")
    assert [state.version for state in states] == [2, 4]
    assert caller.slept == [2, 3, 3]
    assert [r.headers.get("if-none-match") for r in caller.requests] == [None, *['"job-1.2.links"'] * 3]


def test_a_job_that_does_not_change_is_polled_less_often(caller: Caller) -> None:
    unchanged = [httpx.Response(304, headers={"retry-after": "2"})] * 30
    caller.script(job_response(the_job()), *unchanged, job_response(DONE))
    caller.call("watch", "case-1")
    assert caller.slept[:6] == [2] * 6
    assert caller.slept[-1] == 15
    assert caller.slept == sorted(caller.slept)


def test_waiting_ends_at_its_timeout(caller: Caller) -> None:
    busy = [job_response(the_job(version=v)) for v in range(2, 50)]
    caller.script(*busy)
    with pytest.raises(TimedOut, match="generating after 9 s"):
        caller.call("wait", "case-1", 9)
    assert sum(caller.slept) <= 9


def test_waiting_for_a_job_that_does_not_change_ends_at_its_timeout(caller: Caller) -> None:
    caller.script(job_response(the_job()), httpx.Response(304, headers={"retry-after": "2"}))
    for follow in ("wait", "watch"):
        caller.slept.clear()
        with pytest.raises(TimedOut, match="the job continues"):
            caller.call(follow, "case-1", 60)
        assert 40 < sum(caller.slept) <= 60


def test_a_watch_never_pauses_longer_than_its_policy_allows(caller: Caller) -> None:
    caller.script(job_response(the_job(), retry_after="9" * 400), job_response(DONE))
    caller.call("watch", "case-1")
    assert caller.slept == [60]


def test_a_retry_names_the_state_of_the_job(caller: Caller) -> None:
    caller.script(
        job_response(FAILED), job_response(replace(FAILED, run=2, version=6, status=Status.PENDING), 202)
    )
    job = caller.call("retry", "case-1", {"location-1": "a lamp"})
    assert (job.run, job.status) == (2, "pending")
    sent = caller.requests[1]
    assert sent.headers["if-match"] == '"job-1.5"'
    assert json.loads(sent.content) == {"shots": {"location-1": {"description": "a lamp"}}}


def test_a_retry_whose_response_was_lost_is_not_made_twice(caller: Caller) -> None:
    again = job_response(replace(FAILED, run=2, version=6, status=Status.PENDING))
    caller.script(job_response(FAILED), httpx.ReadTimeout("lost"), problem(412, "stale_version"), again)
    assert caller.call("retry", "case-1").run == 2


def test_a_retry_after_somebody_elses_is_a_conflict(caller: Caller) -> None:
    other = job_response(replace(FAILED, run=4, version=9))
    caller.script(job_response(FAILED), problem(412, "stale_version"), other)
    with pytest.raises(Conflict):
        caller.call("retry", "case-1")


def test_pictures_are_written_completely_and_fetched_without_the_token(
    caller: Caller, tmp_path: Path
) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.example" and request.url.path.startswith("/pictures"):
            return httpx.Response(302, headers={"location": "https://elsewhere.example/x"})
        if request.url.host == "elsewhere.example":
            return httpx.Response(200, content=b"jpeg")
        return job_response(DONE)

    caller.script(serve)
    job = caller.call("get", "case-1")
    written = caller.call("download", job, tmp_path / "new")
    assert sorted(path.name for path in written) == [
        "evidence-1.jpg",
        "evidence-2.jpg",
        "job.json",
        "location-1.jpg",
    ]
    assert {path.read_bytes() for path in written if path.suffix == ".jpg"} == {b"jpeg"}
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(p.name for p in written)
    assert [r for r in caller.requests[1:] if "authorization" in r.headers] == []


def test_an_id_from_the_server_never_names_a_file_in_another_folder(caller: Caller, tmp_path: Path) -> None:
    caller.script(httpx.Response(200, content=b"jpeg"))
    hostile = replace(DONE, images={})
    caller.script(job_response(hostile))
    job = caller.call("get", "case-1").model_copy(update={"evidence_images": {"../../x": f"{URL}/p"}})
    written = caller.call("download", job, tmp_path / "a" / "b")
    assert {path.parent for path in written} == {tmp_path / "a" / "b"}
    assert not list(tmp_path.glob("x*"))


def test_one_missing_picture_does_not_prevent_the_others(caller: Caller, tmp_path: Path) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/pictures/evidence-2":
            return problem(404, "image_not_found")
        return httpx.Response(200, content=b"jpeg") if "pictures" in request.url.path else job_response(DONE)

    caller.script(serve)
    job = caller.call("get", "case-1")
    with pytest.raises(MissingPictures, match="evidence-2: because of image_not_found") as caught:
        caller.call("download", job, tmp_path)
    names = ["evidence-1.jpg", "job.json", "location-1.jpg"]
    assert sorted(path.name for path in caught.value.written) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert type(caught.value.missing["evidence-2"]) is NotFound


def test_when_the_pictures_host_does_not_respond_each_further_picture_is_requested_once(
    tmp_path: Path,
) -> None:
    caller = Caller("sync")
    caller.script(job_response(DONE), httpx.ConnectTimeout("silent"))
    job = caller.call("get", "case-1")
    with pytest.raises(MissingPictures) as caught:
        caller.call("download", job, tmp_path)
    assert list(caught.value.missing) == ["evidence-1", "evidence-2", "location-1"]
    assert len(caller.requests) == 1 + 5 + 1 + 1


def test_pictures_in_the_response_and_at_links_are_written_the_same_way(
    caller: Caller, tmp_path: Path
) -> None:
    images = {"evidence-1": "data:image/jpeg;base64,anBlZw==", "evidence-2": f"{URL}/pictures/evidence-2"}
    body = {**json.loads(job_response(DONE).content), "evidenceImages": images, "locationImages": {}}
    caller.script(httpx.Response(200, json=body), httpx.Response(200, content=b"jpeg"))
    job = caller.call("get", "case-1", inline=True)
    caller.call("download", job, tmp_path)
    assert {path.read_bytes() for path in tmp_path.glob("*.jpg")} == {b"jpeg"}
    assert len(caller.requests) == 2


def test_the_timeline_and_the_metrics_are_read(caller: Caller) -> None:
    caller.script(a_timeline())
    found = caller.call("timeline", "case-1")
    assert [(entry.action, entry.by) for entry in found.history] == [("submitted", "game")]
    assert next((e.kind, e.shot_id, e.outcome) for e in found.runs[0].events) == (
        "attempt",
        "evidence-1",
        "made",
    )


def test_a_case_id_is_escaped_in_the_address(caller: Caller) -> None:
    caller.script(problem(404, "job_not_found"))
    with pytest.raises(NotFound):
        caller.call("cancel", "../metrics?x=#")
    assert caller.requests[0].url.raw_path == b"/api/cases/..%2Fmetrics%3Fx%3D%23/image-job"
