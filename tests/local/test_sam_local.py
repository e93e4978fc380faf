"""`make sam-local` without its containers: what it says is missing, and what it tells the functions."""

import os
import socket
import threading
from pathlib import Path

import pytest

from local import engine, sam_local
from local.engine import Missing
from local.forward import forwarding
from local.sam_local import Failed, Invoked, Place, container_environment
from local.stack import Stack, free_port

PLACE = Place(
    address="172.17.0.1",
    stack=Stack(
        api_url="http://127.0.0.1:4000/_aws/execute-api/abcd/$default",
        emulator_url="http://127.0.0.1:4000",
        studio_url="http://127.0.0.1:5000",
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
)


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
        engine.find_engine()


def test_an_engine_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    an_engine(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert engine.find_engine() == "docker"


@pytest.mark.parametrize("given", ["host.docker.internal", "127.0.0.1", "::1"])
def test_an_address_that_no_container_can_use_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SAM_LOCAL_HOST", given)
    with pytest.raises(Missing, match="SAM_LOCAL_HOST must be an IPv4 address other than loopback"):
        engine.address_for_containers("docker")


def test_functions_call_this_machine_at_the_address_that_containers_have_for_it() -> None:
    deployed = {
        "TABLE_NAME": "table",
        "WORKER_FUNCTION": "darkroom-worker",
        "PUBLIC_URL": PLACE.stack.api_url,
        "GEMINI_URL": "http://127.0.0.1:5000",
    }
    made = container_environment(deployed, PLACE)
    assert made["TABLE_NAME"] == "table"
    assert made["AWS_ENDPOINT_URL"] == "http://172.17.0.1:4000"
    assert made["AWS_ENDPOINT_URL_LAMBDA"] == "http://172.17.0.1:3001"
    assert made["GEMINI_URL"] == "http://172.17.0.1:5000"
    assert made["PUBLIC_URL"] == "http://172.17.0.1:3000"
    assert made["WORKER_FUNCTION"] == "WorkerFunction"


def test_the_reader_signs_addresses_for_those_outside() -> None:
    deployed = {"BUCKET_NAME": "bucket", "LINK_SECRET": "link", "PUBLIC_URL": PLACE.stack.api_url}
    made = container_environment(deployed, PLACE)
    assert made["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:4000"
    assert made["PUBLIC_URL"] == "http://127.0.0.1:3000"
    assert made["AWS_ENDPOINT_URL"] == "http://172.17.0.1:4000"


@pytest.mark.parametrize("answer", [{"statusCode": 500, "body": "{}"}, {"statusCode": 202, "body": "{}"}])
def test_an_answer_other_than_expected_is_a_failure(answer: dict[str, object]) -> None:
    with pytest.raises(Failed, match="InitiatorFunction answered"):
        Invoked(function="InitiatorFunction", answer=answer, seconds=1).expect(http=202, status="pending")


def test_sam_hears_of_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert "mine" not in sam_local.sam_environment().values()
    assert sam_local.sam_environment()["PATH"] == os.environ["PATH"]


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
