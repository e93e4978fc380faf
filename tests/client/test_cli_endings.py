"""How the command `darkroom` ends: codes that mean one thing, and a line for whatever goes wrong."""

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
from tests.client.server import FAILED, Reply, Server, a_timeline, accepted, answer, problem, the_job

DONE = the_job(Status.COMPLETED, version=4, done=3, completed_at=1_800_000_012_000)
CASE = str(package.ROOT / "events" / "case.json")

ON_LINUX = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")

type Main = Callable[..., int]


@pytest.fixture
def main(server: Server, connected: None, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Runs the command as a shell does; its exit code."""

    def run(*arguments: str, replies: tuple[Reply, ...] = ()) -> int:
        server.replies = replies
        server.asked.clear()
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


def test_each_exit_code_is_in_the_readme_and_in_the_help(darkroom: Command) -> None:
    readme = (package.ROOT / "clients/python/README.md").read_text()
    shown = darkroom("--help").output
    assert set(exits.MEANING) == set(Exit)
    for code, meaning in exits.MEANING.items():
        assert f"| {code.value} | {meaning} |" in readme
        assert re.search(rf"^ +{code.value}  {re.escape(meaning)}", shown, re.MULTILINE)
    assert len(re.findall(r"^\| \d+ \|", readme, re.MULTILINE)) == len(Exit)


@pytest.mark.parametrize(
    ("arguments", "replies", "code", "said"),
    [
        (("submit", CASE, "--watch"), (interrupt,), 130, "the same command again finds its job"),
        (("submit", CASE, "--watch"), (accepted(the_job()), interrupt), 130, "darkroom watch case-1"),
        (("watch", "case-1"), (answer(the_job()), interrupt), 130, "darkroom cancel case-1"),
        (("watch", "case-1", "--json"), (answer(the_job()), interrupt), 130, "The job goes on"),
        (("retry", "case-1"), (answer(FAILED), interrupt), 130, "darkroom get case-1"),
        (("get", "case-1"), (interrupt,), 130, "interrupted"),
        (("watch", "case-1", "--timeout", "0"), (answer(the_job()),), 6, "it goes on"),
        (("get", "case-1"), (httpx.Response(200, text="<html>"),), 5, "none of this API's"),
        (("get", "case-1"), (problem(429, "daily_limit", **{"retry-after": "50000"}),), 5, "429 daily_limit"),
        (("retry", "case-1", "--max-cost-usd", "nan"), (), 2, "--max-cost-usd"),
        (("watch", "case-1", "--timeout", "inf"), (), 2, "--timeout"),
        (("get", "\udcff"), (), 2, "UTF-8"),
        (("download", "case-1", "--out", CASE), (), 2, "--out"),
        (("nonsense",), (), 2, "nonsense"),
        (("get", "case-1"), (ZeroDivisionError("a fault \x1b[31m"),), 70, "ZeroDivisionError: a fault �[31m"),
    ],
)
def test_every_ending_has_its_code_and_says_why(
    main: Main,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    replies: tuple[Reply, ...],
    code: int,
    said: str,
) -> None:
    assert main(*arguments, replies=replies) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "\x1b" not in shown.err
    assert code == 70 or "Traceback" not in shown.err


def test_an_interrupted_download_says_how_to_fetch_the_rest(
    main: Main, server: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    body = json.loads(answer(DONE).content)
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
def test_a_setting_that_cannot_work_is_one_line_and_code_2(
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


def nobody_reads() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("arguments", [("get", "case-1"), ("get", "case-1", "--json"), ("--help",)])
@pytest.mark.parametrize(("output", "code"), [(nobody_reads, 141), pytest.param(full, 2, marks=ON_LINUX)])
def test_an_output_that_takes_nothing_is_no_failed_job(
    main: Main,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    output: Callable[[], int],
    code: int,
) -> None:
    stdout = os.fdopen(output(), "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)
    found = main(*arguments, replies=(answer(DONE),))
    with suppress(OSError):
        stdout.close()
    assert found == code


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        (("get", "case-1"), answer(FAILED)),
        (("get", "case-1", "--json"), answer(FAILED)),
        (("timeline", "case-1"), a_timeline()),
    ],
)
def test_a_code_page_costs_characters_and_not_the_command(
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
