"""The command `darkroom`, with a scripted server."""

import json
import webbrowser
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client.files import read_case

from local import package
from tests.client.conftest import Command
from tests.client.server import (
    FAILED,
    SHARE,
    Server,
    a_request,
    a_timeline,
    accepted,
    job_response,
    problem,
    the_job,
)

DONE = the_job(Status.COMPLETED, version=4, done=3, completed_at=1_800_000_012_000)
CASE = str(package.ROOT / "events" / "case.json")


def test_a_case_is_submitted_followed_and_downloaded(darkroom: Command, tmp_path: Path) -> None:
    done = darkroom(
        "submit",
        CASE,
        "--out",
        str(tmp_path),
        replies=(accepted(the_job()), job_response(the_job()), job_response(DONE)),
    )
    assert done.exit_code == 0
    link, *_, ended = done.stdout.splitlines()
    assert link == f"Watch it: {SHARE}"
    assert ended.startswith("case-1 completed  3 of 3")
    assert done.stdout.count("completed") == 1
    assert (tmp_path / "evidence-1.jpg").read_bytes() == b"jpeg"


def test_with_json_a_command_prints_json_and_nothing_else(darkroom: Command) -> None:
    for arguments, reply in (
        (("get", "case-1"), job_response(DONE)),
        (("watch", "case-1"), job_response(DONE)),
        (("cancel", "case-1"), job_response(DONE)),
        (("timeline", "case-1"), a_timeline()),
    ):
        found = json.loads(darkroom(*arguments, "--json", replies=(reply,)).stdout)
        assert found["caseId"] == "case-1"


def test_a_reason_is_shown_as_plain_text(darkroom: Command) -> None:
    result = darkroom("get", "case-1", replies=(job_response(FAILED),))
    assert "location-1 Location no 1: refused: not that �[31m [bold]" in result.output
    assert "\x1b[31m" not in result.output


def test_a_retry_takes_descriptions_by_id(darkroom: Command, server: Server) -> None:
    again = job_response(the_job(Status.PENDING), 202)
    result = darkroom(
        "retry", "case-1", "--description", "location-1=a=b", replies=(job_response(FAILED), again)
    )
    assert result.exit_code == 0
    assert json.loads(server.requests[1].content)["shots"] == {"location-1": {"description": "a=b"}}
    assert darkroom("retry", "case-1", "--description", "location-1").exit_code == 2


def test_the_timeline_shows_the_attempts_as_bars(darkroom: Command) -> None:
    drawn = darkroom("timeline", "case-1", replies=(a_timeline(),)).output
    assert "submitted by game (run 1)" in drawn
    [made] = [line for line in drawn.splitlines() if line.lstrip().startswith("evidence-1")]
    assert "█" in made
    [lost] = [line for line in drawn.splitlines() if line.lstrip().startswith("location-1")]
    assert "▓" in lost
    assert "0.034" in lost


def test_written_files_are_listed(darkroom: Command, tmp_path: Path) -> None:
    result = darkroom("download", "case-1", "--out", str(tmp_path), replies=(job_response(DONE),))
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 4)


def test_the_submitted_case_is_printed_as_a_case_file(darkroom: Command, tmp_path: Path) -> None:
    done = darkroom("case", "case-1", replies=(a_request(),))
    assert done.exit_code == 0
    file = tmp_path / "again.json"
    file.write_text(done.stdout)
    found = read_case(file)
    assert [item.description for item in found.evidence] == ["dusty, 1 years old", "dusty, 2 years old"]
    assert (found.case_id, len(found.locations)) == ("case-1", 1)


def test_missing_pictures_are_named_and_the_others_written(darkroom: Command, tmp_path: Path) -> None:
    body = json.loads(job_response(DONE).content)
    body["evidenceImages"]["evidence-1"] = "https://api.example/pictures/gone"
    gone = httpx.Response(200, json=body)
    result = darkroom(
        "download", "case-1", "--out", str(tmp_path), replies=(gone, problem(404, "image_not_found"))
    )
    assert (result.exit_code, len(result.stdout.splitlines())) == (3, 3)
    assert result.stderr == "evidence-1: no picture: because of image_not_found\n"
    partial = darkroom("download", "case-1", "--out", str(tmp_path), replies=(job_response(FAILED),))
    assert (partial.exit_code, len(partial.stdout.splitlines())) == (3, 3)
    assert partial.stderr.startswith("location-1: no picture: refused: not that")
    followed = darkroom(
        "watch", "case-1", "--out", str(tmp_path), replies=(gone, problem(404, "image_not_found"))
    )
    assert followed.exit_code == 3


def test_the_version_is_printed(darkroom: Command) -> None:
    result = darkroom("--version")
    assert (result.exit_code, result.stdout) == (0, f"darkroom {version('darkroom-client')}\n")


def test_a_page_is_opened_by_the_id_of_its_case_or_by_its_file(
    darkroom: Command, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def browse(link: str) -> bool:
        opened.append(link)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    assert darkroom("open", "case-1", replies=(a_request(), accepted(DONE))).stdout == f"{SHARE}\n"
    assert darkroom("open", CASE, replies=(accepted(DONE),)).exit_code == 0
    assert opened == [SHARE, SHARE]
    assert [request.method for request in server.requests] == ["POST"]


def test_without_a_browser_the_link_is_printed(darkroom: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(link: str) -> bool:
        raise webbrowser.Error("could not locate runnable browser")

    for opens in (none, lambda _: False):
        monkeypatch.setattr(webbrowser, "open", opens)
        result = darkroom("open", CASE, replies=(accepted(DONE),))
        assert (result.exit_code, result.stdout) == (0, f"{SHARE}\n")
        assert "No browser was found" in result.stderr


def test_only_a_link_to_a_page_is_opened(darkroom: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    evil = httpx.Response(202, json=json.loads(accepted(DONE).content) | {"shareUrl": "file:///etc/passwd"})
    assert darkroom("open", CASE, replies=(evil,)).exit_code == 5
    changed = darkroom("open", "case-1", replies=(a_request(), problem(409, "case_conflict")))
    assert (changed.exit_code, opened) == (5, [])
    assert "still opens the page" in changed.stderr
