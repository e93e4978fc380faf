"""Both clients against scripted servers, in time that does not pass."""

import asyncio
import inspect
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import (
    AsyncClient,
    Case,
    Client,
    Conflict,
    DarkroomError,
    Forbidden,
    InvalidRequest,
    Item,
    NotFound,
    Policy,
    RateLimited,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
)

from tests.client.server import FAILED, SHARE, Reply, Server, a_timeline, accepted, answer, problem, the_job

URL = "https://api.example"
DONE = the_job(Status.COMPLETED, version=4, done=3)
CASE = Case(case_id="case-1", evidence=[Item(id="evidence-1", name="Key", description="brass")])


@dataclass
class Caller:
    """One of the two clients, to be called alike, and how long it slept."""

    kind: str
    server: Server = field(default_factory=lambda: Server([]))
    slept: list[float] = field(default_factory=list)

    def script(self, *replies: Reply) -> None:
        self.server.replies = replies

    @property
    def asked(self) -> list[httpx.Request]:
        return self.server.asked

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        policy = Policy(jitter=lambda: 1.0)
        transport = httpx.MockTransport(self.server)
        if self.kind == "sync":
            with httpx.Client(transport=transport) as http:
                client = Client(
                    URL, "secret", policy=policy, http=http, sleep=self.slept.append, clock=self.clock
                )
                found = getattr(client, name)(*arguments, **named)
                return list(found) if inspect.isgenerator(found) else found

        async def ask() -> Any:
            async def sleep(seconds: float) -> None:
                self.slept.append(seconds)

            async with httpx.AsyncClient(transport=transport) as http:
                client = AsyncClient(URL, "secret", policy=policy, http=http, sleep=sleep, clock=self.clock)
                found = getattr(client, name)(*arguments, **named)
                return [each async for each in found] if inspect.isasyncgen(found) else await found

        return asyncio.run(ask())

    def clock(self) -> float:
        return sum(self.slept)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


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


def test_what_is_busy_is_asked_again_and_in_the_time_it_names(caller: Caller) -> None:
    caller.script(
        httpx.ConnectError("refused"),
        problem(503, "contention"),
        problem(429, "throttled", **{"retry-after": "7"}),
        answer(DONE),
    )
    assert caller.call("get", "case-1").status == "completed"
    assert caller.slept == [0.5, 1.0, 7.0]


@pytest.mark.parametrize(
    ("reply", "kind", "tries"),
    [
        (problem(400, "invalid_input"), InvalidRequest, 1),
        (httpx.Response(401, json={"message": "Unauthorized"}), Unauthorized, 1),
        (problem(403, "forbidden"), Forbidden, 1),
        (problem(404, "job_not_found"), NotFound, 1),
        (problem(409, "case_conflict"), Conflict, 1),
        (problem(429, "daily_limit", **{"retry-after": "50000"}), RateLimited, 1),
        (problem(500, "internal"), ServerError, 5),
        (httpx.Response(502, text="<html>"), ServerError, 5),
        (httpx.ReadTimeout("slow"), Unreachable, 5),
        (httpx.Response(418), DarkroomError, 1),
        (httpx.Response(200, text="{}"), ServerError, 1),
        (httpx.Response(200, text="<html>"), ServerError, 1),
    ],
)
def test_each_refusal_has_its_class(
    caller: Caller, reply: Reply, kind: type[DarkroomError], tries: int
) -> None:
    caller.script(reply)
    with pytest.raises(kind) as caught:
        caller.call("get", "case-1")
    assert type(caught.value) is kind
    assert len(caller.asked) == tries


def test_a_wrong_field_is_named(caller: Caller) -> None:
    caller.script(problem(400, "invalid_input"))
    with pytest.raises(InvalidRequest) as caught:
        caller.call("submit", CASE)
    assert [(wrong.field, wrong.message) for wrong in caught.value.fields] == [("caseId", "must match")]
    assert (caught.value.status, caught.value.code) == (400, "invalid_input")


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


def test_the_timeline_and_the_metrics_are_read(caller: Caller) -> None:
    caller.script(a_timeline())
    told = caller.call("timeline", "case-1")
    assert [(move.what, move.by) for move in told.moves] == [("submitted", "game")]
    assert next((e.kind, e.shot_id, e.outcome) for e in told.runs[0].events) == ("try", "evidence-1", "made")


def test_an_id_that_is_no_part_of_an_address_is_none(caller: Caller) -> None:
    caller.script(problem(404, "job_not_found"))
    with pytest.raises(NotFound):
        caller.call("cancel", "../metrics?x=#")
    assert caller.asked[0].url.raw_path == b"/api/cases/..%2Fmetrics%3Fx%3D%23/image-job"


def test_the_token_is_in_no_text_about_the_client() -> None:
    with Client(URL, "secret") as client:
        assert "secret" not in f"{client!r} {client}"
