"""The exit codes and error messages of the command `darkroom`."""

import io
import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from darkroom.domain.job import Status
from darkroom_client import cli, exits
from darkroom_client.exits import Exit

from local import package
from tests.client.conftest import Command
from tests.client.server import FAILED, Reply, Server, a_timeline, accepted, job_response, problem, the_job

DONE = the_job(Status.COMPLETED, version=4, done=3, completed_at=1_800_000_012_000)
CASE = str(package.ROOT / "events" / "case.json")

ON_LINUX = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")

type Main = Callable[..., int]


@pytest.fixture
def main(server: Server, connected: None, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Return a function that runs the command like a shell and returns its exit code."""

    def run(*arguments: str, replies: tuple[Reply, ...] = ()) -> int:
        server.replies = replies
        server.requests.clear()
        monkeypatch.setattr(sys, "argv", ["darkroom", *arguments])
        with pytest.raises(SystemExit) as ending:
            cli.main()
        return int(ending.value.code or 0)

    return run


def interrupt(request: httpx.Request) -> httpx.Response:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.COMPLETED, 0), (Status.FAILED, 1), (Status.PARTIAL, 3), (Status.CANCELLED, 4)],
)
def test_the_exit_code_says_how_the_job_ended(darkroom: Command, status: Status, code: int) -> None:
    reply = job_response(the_job(status))
    assert darkroom("get", "case-1", replies=(reply,)).exit_code == code
    assert darkroom("watch", "case-1", replies=(reply,)).exit_code == code


@pytest.mark.parametrize(
    ("reply", "code", "expected"),
    [
        (problem(403, "forbidden"), 5, "403 forbidden because of forbidden"),
        (problem(400, "invalid_input"), 5, "caseId: must match"),
        (httpx.ConnectError("refused"), 6, "no response: ConnectError"),
    ],
)
def test_an_error_is_reported_by_a_message_and_an_exit_code(
    darkroom: Command, reply: Reply, code: int, expected: str
) -> None:
    result = darkroom("get", "case-1", replies=(reply,))
    assert (result.exit_code, result.stdout) == (code, "")
    assert expected in result.stderr


def test_without_an_address_or_a_token_no_request_is_sent(
    darkroom: Command, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DARKROOM_TOKEN")
    result = darkroom("get", "case-1")
    assert (result.exit_code, server.requests) == (2, [])
    assert "DARKROOM_TOKEN" in result.stderr
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    assert darkroom("get", "case-1", "--token-file", str(file), replies=(job_response(DONE),)).exit_code == 0
    assert server.requests[0].headers["authorization"] == "Bearer from-a-file"


def test_a_file_that_is_not_a_case_is_a_usage_error(darkroom: Command, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text('{"caseId": 1}')
    result = darkroom("submit", str(path))
    assert result.exit_code == 2
    assert "caseId: Input should be a valid string" in result.stderr


def test_each_exit_code_is_in_the_readme_and_in_the_help(darkroom: Command) -> None:
    readme = (package.ROOT / "clients/python/README.md").read_text()
    shown = darkroom("--help").output
    assert set(exits.MEANING) == set(Exit)
    for code, meaning in exits.MEANING.items():
        assert f"| {code.value} | {meaning} |" in readme
        assert re.search(rf"^ +{code.value}  {re.escape(meaning)}", shown, re.MULTILINE)
    assert len(re.findall(r"^\| \d+ \|", readme, re.MULTILINE)) == len(Exit)


@pytest.mark.parametrize(
    ("arguments", "replies", "code", "expected"),
    [
        (("submit", CASE, "--watch"), (interrupt,), 130, "run this command again to see"),
        (("submit", CASE, "--watch"), (accepted(the_job()), interrupt), 130, "darkroom watch case-1"),
        (("watch", "case-1"), (job_response(the_job()), interrupt), 130, "darkroom cancel case-1"),
        (("watch", "case-1", "--json"), (job_response(the_job()), interrupt), 130, "The job continues"),
        (("retry", "case-1"), (job_response(FAILED), interrupt), 130, "darkroom get case-1"),
        (("get", "case-1"), (interrupt,), 130, "interrupted"),
        (("watch", "case-1", "--timeout", "0"), (job_response(the_job()),), 6, "the job continues"),
        (("get", "case-1"), (httpx.Response(200, text="<html>"),), 5, "not a response of this API"),
        (("get", "case-1"), (problem(429, "daily_limit", **{"retry-after": "50000"}),), 5, "429 daily_limit"),
        (("retry", "case-1", "--max-cost-usd", "nan"), (), 2, "--max-cost-usd"),
        (("watch", "case-1", "--timeout", "inf"), (), 2, "--timeout"),
        (("get", "\udcff"), (), 2, "UTF-8"),
        (("download", "case-1", "--out", CASE), (), 2, "--out"),
        (("nonsense",), (), 2, "nonsense"),
        (("get", "case-1"), (ZeroDivisionError("a fault \x1b[31m"),), 70, "ZeroDivisionError: a fault �[31m"),
    ],
)
def test_every_ending_has_its_exit_code_and_a_message(
    main: Main,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    replies: tuple[Reply, ...],
    code: int,
    expected: str,
) -> None:
    assert main(*arguments, replies=replies) == code
    shown = capsys.readouterr()
    assert expected in shown.err
    assert "\x1b" not in shown.err
    assert code == 70 or "Traceback" not in shown.err


def test_an_interrupted_download_says_how_to_fetch_the_rest(
    main: Main, server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = json.loads(job_response(DONE).content)
    body["evidenceImages"] = {"evidence-1": "https://api.example/pictures/gone"}
    replies = (httpx.Response(200, json=body), interrupt)
    assert main("watch", "case-1", "--out", str(tmp_path), replies=replies) == 130
    assert f"darkroom download case-1 --out {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DARKROOM_URL", "api.example"),
        ("DARKROOM_URL", "http://api.example:99999"),
        ("DARKROOM_TOKEN", "the\ntoken"),
        ("DARKROOM_TOKEN", "tokén"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
        ("HTTPS_PROXY", "nonsense://x"),
        ("SSL_CERT_FILE", "none.pem"),
        ("DARKROOM_TOKEN_FILE", "none"),
        ("DARKROOM_TOKEN_FILE", "."),
    ],
)
def test_a_wrong_setting_is_reported_in_one_line_with_exit_code_2(
    main: Main, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("DARKROOM_URL", "https://api.example")
    monkeypatch.setenv("DARKROOM_TOKEN", "secret-token")
    if name == "DARKROOM_TOKEN_FILE":
        monkeypatch.delenv("DARKROOM_TOKEN")
    monkeypatch.setenv(name, value)
    assert main("get", "case-1") == 2
    shown = capsys.readouterr()
    assert (shown.out, len(shown.err.splitlines())) == ("", 1)
    assert "token" not in shown.err.replace("the token must", "")


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_device() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("arguments", [("get", "case-1"), ("get", "case-1", "--json"), ("--help",)])
@pytest.mark.parametrize(
    ("output", "code"), [(closed_pipe, 141), pytest.param(full_device, 2, marks=ON_LINUX)]
)
def test_an_output_that_cannot_be_written_does_not_exit_like_a_failed_job(
    main: Main,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    output: Callable[[], int],
    code: int,
) -> None:
    stdout = os.fdopen(output(), "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    found = main(*arguments, replies=(job_response(DONE),))
    with suppress(OSError):
        stdout.close()
    assert found == code


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        (("get", "case-1"), job_response(FAILED)),
        (("get", "case-1", "--json"), job_response(FAILED)),
        (("timeline", "case-1"), a_timeline()),
    ],
)
def test_characters_that_the_output_cannot_encode_are_replaced(
    main: Main,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    arguments: tuple[str, ...],
    reply: httpx.Response,
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    named = httpx.Response(200, text=reply.text.replace("evidence-1", "鍵").replace("location-1", "鍵"))
    assert main(*arguments, replies=(named,)) in (0, 3)
    sys.stdout.flush()
    assert "--json" not in arguments or json.loads(written.getvalue())["failedIds"] == ["鍵"]
    assert written.getvalue()
