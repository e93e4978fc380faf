"""The command `darkroom`, with a scripted server."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import cli, client
from darkroom_client.files import read_case
from typer.testing import CliRunner, Result

from local import package
from tests.client.server import (
    FAILED,
    SHARE,
    Reply,
    Server,
    a_request,
    a_timeline,
    accepted,
    answer,
    problem,
    the_job,
)

DONE = the_job(Status.COMPLETED, version=4, done=3, completed_at=1_800_000_012_000)
CASE = str(package.ROOT / "events" / "case.json")

type Command = Callable[..., Result]


@pytest.fixture
def server() -> Server:
    return Server([])


@pytest.fixture
def darkroom(server: Server, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command; a picture is always there."""

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/pictures/"):
            return httpx.Response(200, content=b"jpeg")
        return server(request)

    http = httpx.Client(transport=httpx.MockTransport(serve))
    real = client.Client

    def connect(url: str, token: str) -> client.Client:
        return real(url, token, http=http, sleep=lambda _: None)

    monkeypatch.setattr(cli, "Client", connect)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example")
    monkeypatch.setenv("DARKROOM_TOKEN", "secret-token")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, replies: tuple[Reply, ...] = ()) -> Result:
        server.replies = replies
        result = CliRunner().invoke(cli.app, list(arguments))
        assert "secret-token" not in result.output
        return result

    return run


def test_a_case_is_submitted_followed_and_downloaded(darkroom: Command, tmp_path: Path) -> None:
    done = darkroom(
        "submit",
        CASE,
        "--out",
        str(tmp_path),
        replies=(accepted(the_job()), answer(the_job()), answer(DONE)),
    )
    assert done.exit_code == 0
    assert "case-1 completed  3 of 3" in done.output
    assert SHARE in done.output
    assert (tmp_path / "evidence-1.jpg").read_bytes() == b"jpeg"


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.COMPLETED, 0), (Status.FAILED, 1), (Status.PARTIAL, 3), (Status.CANCELLED, 4)],
)
def test_the_exit_code_says_how_the_job_ended(darkroom: Command, status: Status, code: int) -> None:
    reply = answer(the_job(status))
    assert darkroom("get", "case-1", replies=(reply,)).exit_code == code
    assert darkroom("watch", "case-1", replies=(reply,)).exit_code == code


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (problem(403, "forbidden"), 5, "403 forbidden because of forbidden"),
        (problem(400, "invalid_input"), 5, "caseId: must match"),
        (httpx.ConnectError("refused"), 6, "no answer: ConnectError"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line_and_a_code(
    darkroom: Command, reply: Reply, code: int, said: str
) -> None:
    result = darkroom("get", "case-1", replies=(reply,))
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_without_an_address_or_a_token_nothing_is_asked(
    darkroom: Command, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DARKROOM_TOKEN")
    result = darkroom("get", "case-1")
    assert (result.exit_code, server.asked) == (2, [])
    assert "DARKROOM_TOKEN" in result.stderr
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    assert darkroom("get", "case-1", "--token-file", str(file), replies=(answer(DONE),)).exit_code == 0
    assert server.asked[0].headers["authorization"] == "Bearer from-a-file"


def test_a_file_that_is_no_case_is_wrong_usage(darkroom: Command, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text('{"caseId": 1}')
    result = darkroom("submit", str(path))
    assert result.exit_code == 2
    assert "caseId: Input should be a valid string" in result.stderr


def test_machines_get_json_and_nothing_else(darkroom: Command) -> None:
    for arguments, reply in (
        (("get", "case-1"), answer(DONE)),
        (("watch", "case-1"), answer(DONE)),
        (("cancel", "case-1"), answer(DONE)),
        (("timeline", "case-1"), a_timeline()),
    ):
        found = json.loads(darkroom(*arguments, "--json", replies=(reply,)).stdout)
        assert found["caseId"] == "case-1"


def test_a_reason_is_shown_as_text_only(darkroom: Command) -> None:
    result = darkroom("get", "case-1", replies=(answer(FAILED),))
    assert "location-1 Location no 1: refused: not that �[31m [bold]" in result.output
    assert "\x1b[31m" not in result.output


def test_a_retry_takes_descriptions_by_id(darkroom: Command, server: Server) -> None:
    again = answer(the_job(Status.PENDING), 202)
    result = darkroom("retry", "case-1", "--description", "location-1=a=b", replies=(answer(FAILED), again))
    assert result.exit_code == 0
    assert json.loads(server.asked[1].content)["shots"] == {"location-1": {"description": "a=b"}}
    assert darkroom("retry", "case-1", "--description", "location-1").exit_code == 2


def test_the_timeline_is_drawn(darkroom: Command) -> None:
    drawn = darkroom("timeline", "case-1", replies=(a_timeline(),)).output
    assert "submitted by game (run 1)" in drawn
    [made] = [line for line in drawn.splitlines() if line.lstrip().startswith("evidence-1")]
    assert "█" in made
    [lost] = [line for line in drawn.splitlines() if line.lstrip().startswith("location-1")]
    assert "▓" in lost
    assert "0.034" in lost


def test_files_that_were_written_are_listed(darkroom: Command, tmp_path: Path) -> None:
    result = darkroom("download", "case-1", "--out", str(tmp_path), replies=(answer(DONE),))
    assert len(result.stdout.splitlines()) == 4


def test_what_was_submitted_comes_back_as_a_case_file(darkroom: Command, tmp_path: Path) -> None:
    done = darkroom("case", "case-1", replies=(a_request(),))
    assert done.exit_code == 0
    file = tmp_path / "again.json"
    file.write_text(done.stdout)
    found = read_case(file)
    assert [item.description for item in found.evidence] == ["dusty, 1 years old", "dusty, 2 years old"]
    assert (found.case_id, len(found.locations)) == ("case-1", 1)
