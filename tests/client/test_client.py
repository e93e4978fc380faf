"""Both clients against scripted servers, in time that does not pass."""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import Case, Conflict, Item, MissingPictures, NotFound, TimedOut

from tests.client.caller import URL, Caller
from tests.client.server import FAILED, SHARE, a_timeline, accepted, answer, problem, the_job

DONE = the_job(Status.COMPLETED, version=4, done=3)
CASE = Case(case_id="case-1", evidence=[Item(id="evidence-1", name="Key", description="brass")])


def test_a_submission_sends_the_case_and_the_token(caller: Caller) -> None:
    caller.script(accepted(the_job()))
    job = caller.call("submit", CASE, share="retry")
    [sent] = caller.asked
    assert (sent.method, str(sent.url)) == ("POST", f"{URL}/api/generate-case-images?share=retry")
    assert sent.headers["authorization"] == "Bearer secret"
    assert json.loads(sent.content)["evidence"] == [
        {"id": "evidence-1", "name": "Key", "description": "brass"}
    ]
    assert (job.case_id, job.share_url) == ("case-1", SHARE)


def test_a_job_is_followed_at_the_servers_pace_and_only_changes_are_told(caller: Caller) -> None:
    unchanged = httpx.Response(304, headers={"retry-after": "3"})
    caller.script(answer(the_job()), unchanged, unchanged, answer(DONE))
    states = caller.call("watch", "case-1")
    assert [state.version for state in states] == [2, 4]
    assert caller.slept == [2, 3, 3]
    assert [r.headers.get("if-none-match") for r in caller.asked] == [None, *['"job-1.2.links"'] * 3]


def test_a_job_that_does_not_change_is_asked_for_less_often(caller: Caller) -> None:
    unchanged = [httpx.Response(304, headers={"retry-after": "2"})] * 30
    caller.script(answer(the_job()), *unchanged, answer(DONE))
    caller.call("watch", "case-1")
    assert caller.slept[:6] == [2] * 6
    assert caller.slept[-1] == 15
    assert caller.slept == sorted(caller.slept)


def test_waiting_gives_up_in_time_and_says_that_the_job_goes_on(caller: Caller) -> None:
    busy = [answer(the_job(version=v)) for v in range(2, 50)]
    caller.script(*busy)
    with pytest.raises(TimedOut, match="generating after 9 s"):
        caller.call("wait", "case-1", 9)
    assert sum(caller.slept) <= 9


def test_waiting_for_a_job_that_does_not_change_is_given_up_in_time(caller: Caller) -> None:
    caller.script(answer(the_job()), httpx.Response(304, headers={"retry-after": "2"}))
    for follow in ("wait", "watch"):
        caller.slept.clear()
        with pytest.raises(TimedOut, match="goes on"):
            caller.call(follow, "case-1", 60)
        assert 40 < sum(caller.slept) <= 60


def test_no_server_makes_a_watch_sleep_for_ever(caller: Caller) -> None:
    caller.script(answer(the_job(), retry_after="9" * 400), answer(DONE))
    caller.call("watch", "case-1")
    assert caller.slept == [60]


def test_a_retry_names_the_state_it_means(caller: Caller) -> None:
    caller.script(answer(FAILED), answer(replace(FAILED, run=2, version=6, status=Status.PENDING), 202))
    job = caller.call("retry", "case-1", {"location-1": "a lamp"})
    assert (job.run, job.status) == (2, "pending")
    sent = caller.asked[1]
    assert sent.headers["if-match"] == '"job-1.5"'
    assert json.loads(sent.content) == {"shots": {"location-1": {"description": "a lamp"}}}


def test_a_retry_whose_answer_was_lost_is_not_made_twice(caller: Caller) -> None:
    again = answer(replace(FAILED, run=2, version=6, status=Status.PENDING))
    caller.script(answer(FAILED), httpx.ReadTimeout("lost"), problem(412, "stale_version"), again)
    assert caller.call("retry", "case-1").run == 2


def test_a_retry_that_somebody_else_was_faster_with_is_a_conflict(caller: Caller) -> None:
    other = answer(replace(FAILED, run=4, version=9))
    caller.script(answer(FAILED), problem(412, "stale_version"), other)
    with pytest.raises(Conflict):
        caller.call("retry", "case-1")


def test_pictures_are_written_whole_and_get_no_token(caller: Caller, tmp_path: Path) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.example" and request.url.path.startswith("/pictures"):
            return httpx.Response(302, headers={"location": "https://elsewhere.example/x"})
        if request.url.host == "elsewhere.example":
            return httpx.Response(200, content=b"jpeg")
        return answer(DONE)

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
    assert [r for r in caller.asked[1:] if "authorization" in r.headers] == []


def test_no_id_of_a_server_leads_out_of_the_folder(caller: Caller, tmp_path: Path) -> None:
    caller.script(httpx.Response(200, content=b"jpeg"))
    hostile = replace(DONE, images={})
    caller.script(answer(hostile))
    job = caller.call("get", "case-1").model_copy(update={"evidence_images": {"../../x": f"{URL}/p"}})
    written = caller.call("download", job, tmp_path / "a" / "b")
    assert {path.parent for path in written} == {tmp_path / "a" / "b"}
    assert not list(tmp_path.glob("x*"))


def test_one_picture_that_is_gone_costs_no_other(caller: Caller, tmp_path: Path) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/pictures/evidence-2":
            return problem(404, "image_not_found")
        return httpx.Response(200, content=b"jpeg") if "pictures" in request.url.path else answer(DONE)

    caller.script(serve)
    job = caller.call("get", "case-1")
    with pytest.raises(MissingPictures, match="evidence-2: because of image_not_found") as caught:
        caller.call("download", job, tmp_path)
    names = ["evidence-1.jpg", "job.json", "location-1.jpg"]
    assert sorted(path.name for path in caught.value.written) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert type(caught.value.missing["evidence-2"]) is NotFound


def test_pictures_whose_host_is_silent_are_not_waited_for_one_by_one(tmp_path: Path) -> None:
    caller = Caller("sync")
    caller.script(answer(DONE), httpx.ConnectTimeout("silent"))
    job = caller.call("get", "case-1")
    with pytest.raises(MissingPictures) as caught:
        caller.call("download", job, tmp_path)
    assert list(caught.value.missing) == ["evidence-1", "evidence-2", "location-1"]
    assert len(caller.asked) == 1 + 5 + 1 + 1


def test_pictures_in_the_answer_and_links_beside_them_are_written_alike(
    caller: Caller, tmp_path: Path
) -> None:
    images = {"evidence-1": "data:image/jpeg;base64,anBlZw==", "evidence-2": f"{URL}/pictures/evidence-2"}
    body = {**json.loads(answer(DONE).content), "evidenceImages": images, "locationImages": {}}
    caller.script(httpx.Response(200, json=body), httpx.Response(200, content=b"jpeg"))
    job = caller.call("get", "case-1", inline=True)
    caller.call("download", job, tmp_path)
    assert {path.read_bytes() for path in tmp_path.glob("*.jpg")} == {b"jpeg"}
    assert len(caller.asked) == 2


def test_the_timeline_and_the_metrics_are_read(caller: Caller) -> None:
    caller.script(a_timeline())
    told = caller.call("timeline", "case-1")
    assert [(move.action, move.by) for move in told.history] == [("submitted", "game")]
    assert next((e.kind, e.shot_id, e.outcome) for e in told.runs[0].events) == (
        "attempt",
        "evidence-1",
        "made",
    )


def test_an_id_that_is_no_part_of_an_address_is_none(caller: Caller) -> None:
    caller.script(problem(404, "job_not_found"))
    with pytest.raises(NotFound):
        caller.call("cancel", "../metrics?x=#")
    assert caller.asked[0].url.raw_path == b"/api/cases/..%2Fmetrics%3Fx%3D%23/image-job"
