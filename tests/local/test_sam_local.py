"""`make sam-local`, tested without containers: its requirements, and what it sends to the functions."""

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
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("sam-local cannot run here: no container engine is installed (docker or finch)")


def test_the_error_of_an_engine_that_does_not_run_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    an_engine(tmp_path, "echo 'Cannot connect to the daemon' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="docker does not run: Cannot connect to the daemon"):
        container_engine.find_engine()


def test_an_engine_that_runs_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    an_engine(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert container_engine.find_engine() == "docker"


@pytest.mark.parametrize("given", ["host.docker.internal", "127.0.0.1", "::1"])
def test_an_address_that_no_container_can_use_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SAM_LOCAL_HOST", given)
    with pytest.raises(Missing, match="SAM_LOCAL_HOST must be an IPv4 address other than loopback"):
        container_engine.address_for_containers("docker")


def test_functions_call_this_machine_at_its_address_for_containers() -> None:
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
def test_no_variable_of_a_function_holds_an_address_on_loopback(function: str) -> None:
    variables = TEMPLATE["Resources"][function]["Properties"]["Environment"]["Variables"]
    deployed = {name: f"{PLACE.stack.api_url}/{name}" for name in variables}
    made = container_environment(deployed, NAMES, PLACE)
    assert not [name for name, value in made.items() if "127.0.0.1" in value or "localhost" in value]
    assert not [name for name in made if name.startswith("AWS_ENDPOINT_URL_") and name[17:] != "LAMBDA"]


@pytest.mark.enable_socket
def test_a_client_on_this_machine_calls_the_address_for_containers_on_loopback_and_keeps_the_host() -> None:
    hosts = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hosts.append(self.headers["host"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server,
        Loopback("192.0.2.1") as transport,
        httpx.Client(transport=transport) as http,
    ):
        assert http.get(f"http://192.0.2.1:{server.server_port}/").status_code == 200
    assert hosts == [f"192.0.2.1:{server.server_port}"]


def test_every_function_of_the_template_is_invoked_after_those_whose_results_it_needs() -> None:
    found = list(sam_steps.samples(TEMPLATE))
    assert set(found) == set(sam.functions(TEMPLATE))
    assert found.index("InitiatorFunction") < found.index("WorkerFunction") < found.index("ReaderFunction")
    assert (
        found.index("ObserverFunction") < found.index("DelivererFunction") < found.index("CallbacksFunction")
    )


def test_a_function_without_a_sample_event_is_a_failure() -> None:
    more = {**TEMPLATE["Resources"], "PrinterFunction": {"Type": "AWS::Serverless::Function"}}
    with pytest.raises(Failed, match=r"PrinterFunction has no sample event: write events/printer\.json"):
        sam_steps.samples({"Resources": more})


def test_the_deliverer_gets_the_change_that_the_observer_received() -> None:
    known = sam_steps.Known(place=PLACE, bodies={"InitiatorFunction": {"jobId": "the-job"}})
    found = sam_steps.samples(TEMPLATE)
    observed, order = (
        sam_steps.STEPS[name].fill(found[name], known) for name in ("ObserverFunction", "DelivererFunction")
    )
    image = observed["Records"][0]["dynamodb"]["NewImage"]
    assert image["receiver"]["M"]["url"] == {"S": "http://172.17.0.1:3002/hook"}
    expected = {
        "caseId": image["caseId"]["S"],
        "jobId": image["jobId"]["S"],
        "version": int(image["version"]["N"]),
    }
    assert order == expected
    assert order["jobId"] == "the-job"


@pytest.mark.parametrize("result", [{"statusCode": 500, "body": "{}"}, {"statusCode": 202, "body": "{}"}])
def test_an_unexpected_result_is_a_failure(result: dict[str, object]) -> None:
    with pytest.raises(Failed, match="InitiatorFunction returned"):
        Invoked(function="InitiatorFunction", result=result, seconds=1).expect(http=202, status="pending")


def test_without_an_expected_status_every_status_but_an_error_is_right() -> None:
    right, wrong = ({"statusCode": status, "body": "{}"} for status in (302, 404))
    Invoked(function="PrinterFunction", result={}, seconds=1).expect()
    Invoked(function="PrinterFunction", result=right, seconds=1).expect()
    with pytest.raises(Failed, match="PrinterFunction returned"):
        Invoked(function="PrinterFunction", result=wrong, seconds=1).expect()


def test_sam_gets_no_aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert "mine" not in sam.sam_environment().values()
    assert sam.sam_environment()["PATH"] == os.environ["PATH"]


@pytest.mark.enable_socket
def test_a_connection_to_the_other_address_is_forwarded_to_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def echo() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data.upper())
                connection.sendall(b"!")

        threading.Thread(target=echo, daemon=True).start()
        with (
            forwarding("127.0.0.2", port),
            socket.create_connection(("127.0.0.2", port), timeout=5) as caller,
        ):
            caller.sendall(b"hello")
            caller.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: caller.recv(1024), b""))
    assert received == b"HELLO!"


def test_nothing_is_forwarded_from_an_address_of_another_machine() -> None:
    with forwarding("203.0.113.9", free_port()):
        pass


def test_no_callback_is_a_failure() -> None:
    with pytest.raises(Failed, match="the receiver got no callback"), sam_local.receiving():
        pass


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Create a clean work tree, in which `make sam-local` writes its file."""
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
def test_after_a_failure_there_is_no_such_file(
    monkeypatch: pytest.MonkeyPatch, repository: Path, failure: Exception
) -> None:
    sam_local.PASSED.write_text("an older run's")
    assert run_with(monkeypatch, failure) == 1
    assert not sam_local.PASSED.exists()


def test_uncommitted_changes_leave_no_such_file(
    monkeypatch: pytest.MonkeyPatch, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "new.py").write_text("x = 1\n")
    assert run_with(monkeypatch) == 0
    assert not sam_local.PASSED.exists()
    assert "this work tree is not committed" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("script", "ran", "printed"),
    [
        ("exit 0", "check\nsam-local\n", ""),
        (
            "echo 'no daemon' >&2; exit 1",
            "check\n",
            "make sam-local was NOT run: docker does not run: no daemon",
        ),
    ],
)
def test_ci_runs_sam_local_if_a_container_engine_runs_and_says_if_it_did_not(
    tmp_path: Path, script: str, ran: str, printed: str
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
    assert printed in done.stdout
