"""Fixtures: both clients, and the command `darkroom`, with a scripted server."""

from typing import Protocol

import httpx
import pytest
from darkroom_client import cli, client
from typer.testing import CliRunner, Result

from tests.client.caller import Caller
from tests.client.server import Reply, Server


class Command(Protocol):
    """The command `darkroom`, run against the replies of a scripted server."""

    def __call__(self, *arguments: str, replies: tuple[Reply, ...] = ()) -> Result: ...


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


@pytest.fixture
def server() -> Server:
    return Server([])


@pytest.fixture
def connected(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect the command to `server`. Pictures exist, unless their path ends with `gone`."""

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/pictures/") and not request.url.path.endswith("gone"):
            return httpx.Response(200, content=b"jpeg")
        return server(request)

    real = client.Client

    def connect(url: str, token: str) -> client.Client:
        return real(url, token, http=httpx.Client(transport=httpx.MockTransport(serve)), sleep=lambda _: None)

    monkeypatch.setattr(cli, "Client", connect)
    monkeypatch.setenv("DARKROOM_URL", "https://api.example")
    monkeypatch.setenv("DARKROOM_TOKEN", "secret-token")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def darkroom(server: Server, connected: None) -> Command:
    def run(*arguments: str, replies: tuple[Reply, ...] = ()) -> Result:
        server.replies = replies
        server.requests.clear()
        result = CliRunner().invoke(cli.app, list(arguments))
        assert "secret-token" not in result.output
        return result

    return run
