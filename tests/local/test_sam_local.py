"""`make sam-local` without its containers: what it says is missing, and what it tells the functions."""

import os
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from local import cloudformation, container_engine, package, sam, sam_local, sam_steps
from local.container_engine import Missing
from local.forward import forwarding
from local.run_case import Loopback
from local.sam import Failed, Invoked, Place, container_environment
from local.stack import Stack, free_port, serving

PLACE = Place(
    address="172.17.0.1",
    stack=Stack(
        api_url="http://127.0.0.1:4000/_aws/execute-api/abcd/$default",
        emulator_url="http://127.0.0.1:4000",
        provider_url="http://127.0.0.1:5000",
        table="table",
        bucket="bucket",
        sweeper="sweeper",
        worker="worker",
        webhook_secret="whsec_x",
        token="token",
        pids={},
    ),
    api_port=3000,
    lambda_port=3001,
    receiver_port=3002,
)
TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
NAMES = {name: f"darkroom-{name}" for name in sam.functions(TEMPLATE)} | {"WorkerFunction": "darkroom-worker"}


def an_engine(folder: Path, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_without_a_container_engine_it_says_what_to_install_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sam_local.main() == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("sam-local cannot run here: no container engine is installed (docker or finch)")


def test_an_engine_that_is_not_running_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    an_engine(tmp_path, "echo 'Cannot connect to the daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="docker does not answer: Cannot connect to the daemon"):
        container_engine.find_engine()


def test_an_engine_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    an_engine(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert container_engine.find_engine() == "docker"


@pytest.mark.parametrize("given", ["host.docker.internal", "127.0.0.1", "::1"])
def test_an_address_that_no_container_can_use_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SAM_LOCAL_HOST", given)
    with pytest.raises(Missing, match="SAM_LOCAL_HOST must be an IPv4 address other than loopback"):
        container_engine.address_for_containers("docker")


def test_functions_call_this_machine_at_the_address_that_containers_have_for_it() -> None:
    deployed = {
        "TABLE_NAME": "table",
        "WORKER_FUNCTION": "darkroom-worker",
        "DELIVERER_FUNCTION": "darkroom-DelivererFunction",
        "PUBLIC_URL": PLACE.stack.api_url,
        "GEMINI_URL": "http://127.0.0.1:5000",
    }
    made = container_environment(deployed, NAMES, PLACE)
    assert made["TABLE_NAME"] == "table"
    assert made["AWS_ENDPOINT_URL"] == "http://172.17.0.1:4000"
    assert made["AWS_ENDPOINT_URL_LAMBDA"] == "http://172.17.0.1:3001"
    assert made["GEMINI_URL"] == "http://172.17.0.1:5000"
    assert made["PUBLIC_URL"] == "http://172.17.0.1:3000"
    assert made["WORKER_FUNCTION"] == "WorkerFunction"
    assert made["DELIVERER_FUNCTION"] == "DelivererFunction"


@pytest.mark.parametrize("function", sam.functions(TEMPLATE))
def test_no_function_is_given_an_address_that_its_container_does_not_reach(function: str) -> None:
    variables = TEMPLATE["Resources"][function]["Properties"]["Environment"]["Variables"]
    deployed = {name: f"{PLACE.stack.api_url}/{name}" for name in variables}
    made = container_environment(deployed, NAMES, PLACE)
    assert not [name for name, value in made.items() if "127.0.0.1" in value or "localhost" in value]
    assert not [name for name in made if name.startswith("AWS_ENDPOINT_URL_") and name[17:] != "LAMBDA"]


@pytest.mark.enable_socket
def test_a_client_outside_calls_the_address_of_containers_on_loopback_with_its_host_as_signed() -> None:
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers["host"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server,
        Loopback("192.0.2.1") as transport,
        httpx.Client(transport=transport) as http,
    ):
        assert http.get(f"http://192.0.2.1:{server.server_port}/").status_code == 200
    assert heard == [f"192.0.2.1:{server.server_port}"]


def test_every_function_of_the_template_is_invoked_those_first_that_others_build_on() -> None:
    found = list(sam_steps.samples(TEMPLATE))
    assert set(found) == set(sam.functions(TEMPLATE))
    assert found.index("InitiatorFunction") < found.index("WorkerFunction") < found.index("ReaderFunction")
    assert (
        found.index("ObserverFunction") < found.index("DelivererFunction") < found.index("CallbacksFunction")
    )


def test_a_function_without_a_sample_event_is_a_failure_that_says_so() -> None:
    more = {**TEMPLATE["Resources"], "PrinterFunction": {"Type": "AWS::Serverless::Function"}}
    with pytest.raises(Failed, match=r"PrinterFunction has no sample event: write events/printer\.json"):
        sam_steps.samples({"Resources": more})


def test_the_deliverer_is_told_of_the_change_that_the_observer_heard_of() -> None:
    known = sam_steps.Known(place=PLACE, bodies={"InitiatorFunction": {"jobId": "the-job"}})
    found = sam_steps.samples(TEMPLATE)
    heard, order = (
        sam_steps.STEPS[name].fill(found[name], known) for name in ("ObserverFunction", "DelivererFunction")
    )
    image = heard["Records"][0]["dynamodb"]["NewImage"]
    assert image["receiver"]["M"]["url"] == {"S": "http://172.17.0.1:3002/hook"}
    told = {
        "caseId": image["caseId"]["S"],
        "jobId": image["jobId"]["S"],
        "version": int(image["version"]["N"]),
    }
    assert told == order
    assert told["jobId"] == "the-job"


@pytest.mark.parametrize("answer", [{"statusCode": 500, "body": "{}"}, {"statusCode": 202, "body": "{}"}])
def test_an_answer_other_than_expected_is_a_failure(answer: dict[str, object]) -> None:
    with pytest.raises(Failed, match="InitiatorFunction answered"):
        Invoked(function="InitiatorFunction", answer=answer, seconds=1).expect(http=202, status="pending")


def test_a_function_of_which_no_status_is_expected_may_answer_anything_but_an_error() -> None:
    right, wrong = ({"statusCode": status, "body": "{}"} for status in (302, 404))
    Invoked(function="PrinterFunction", answer={}, seconds=1).expect()
    Invoked(function="PrinterFunction", answer=right, seconds=1).expect()
    with pytest.raises(Failed, match="PrinterFunction answered"):
        Invoked(function="PrinterFunction", answer=wrong, seconds=1).expect()


def test_sam_hears_of_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert "mine" not in sam.sam_environment().values()
    assert sam.sam_environment()["PATH"] == os.environ["PATH"]


@pytest.mark.enable_socket
def test_what_listens_on_loopback_is_reached_at_the_other_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data.upper())
                connection.sendall(b"!")

        threading.Thread(target=answer, daemon=True).start()
        with (
            forwarding("127.0.0.2", port),
            socket.create_connection(("127.0.0.2", port), timeout=5) as caller,
        ):
            caller.sendall(b"hello")
            caller.shutdown(socket.SHUT_WR)
            heard = b"".join(iter(lambda: caller.recv(1024), b""))
    assert heard == b"HELLO!"


def test_an_address_of_another_machine_is_left_to_its_owner() -> None:
    with forwarding("203.0.113.9", free_port()):
        pass


def test_no_callback_is_a_failure() -> None:
    with pytest.raises(Failed, match="no callback has come"), sam_local.receiving():
        pass


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A clean work tree, and what a run in it writes."""
    work = tmp_path / ".local" / "sam"
    work.mkdir(parents=True)
    (tmp_path / ".gitignore").write_text(".local/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "Begin")
    monkeypatch.setattr(package, "ROOT", tmp_path)
    monkeypatch.setattr(sam_local, "PASSED", work / "passed")
    return tmp_path


def run_with(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None) -> int:
    def run(_: Console) -> None:
        assert not sam_local.PASSED.exists()
        if failure:
            raise failure

    monkeypatch.setattr(sam_local, "run", run)
    return sam_local.main()


def test_when_everything_passed_a_file_holds_the_commit(
    monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    sam_local.PASSED.write_text("an older run's")
    assert run_with(monkeypatch) == 0
    assert sam_local.PASSED.read_text() == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("failure", [Failed("a function failed"), Missing("no engine")])
def test_nothing_says_that_it_passed_when_it_did_not(
    monkeypatch: pytest.MonkeyPatch, repository: Path, failure: Exception
) -> None:
    sam_local.PASSED.write_text("an older run's")
    assert run_with(monkeypatch, failure) == 1
    assert not sam_local.PASSED.exists()


def test_what_no_commit_holds_is_not_said_to_have_passed_as_one(
    monkeypatch: pytest.MonkeyPatch, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "new.py").write_text("x = 1\n")
    assert run_with(monkeypatch) == 0
    assert not sam_local.PASSED.exists()
    assert "no commit holds this work tree" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("script", "ran", "said"),
    [
        ("exit 0", "check\nsam-local\n", ""),
        (
            "echo 'no daemon' >&2; exit 1",
            "check\n",
            "make sam-local was NOT run: docker does not answer: no daemon",
        ),
    ],
)
def test_ci_runs_the_containers_where_an_engine_answers_and_says_when_it_did_not(
    tmp_path: Path, script: str, ran: str, said: str
) -> None:
    an_engine(tmp_path, script)
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/ran"\n')
    make.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        [package.ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True
    )
    assert (tmp_path / "ran").read_text() == ran
    assert said in done.stdout
