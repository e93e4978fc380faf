"""Fixtures for every kind of test, and the distribution of the tests to processes."""

import threading
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

collect_ignore = [] if find_spec("playwright") else ["browser"]
"""The tests of the page need the environment that `make browser` installs."""

STACK = "tests/stack/"
BUILD = tuple(f"tests/local/test_{name}.py" for name in ("build", "imports", "deploy_commands"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the stack's tests first: together they take longest, and mostly they wait."""
    items.sort(key=lambda item: not item.nodeid.startswith(STACK))


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A scheduler that gives each file to one process, and files with a costly fixture to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith(STACK):
            return STACK
        return BUILD[0] if file in BUILD else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Return what decides which process runs a test, where there are several (`-n`)."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _no_real_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests from reaching an account, whatever this machine is configured for."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, scope="session")
def _moto_serves_one_request_at_a_time() -> Iterator[None]:
    """Let moto serve one request at a time, because its tables, unlike DynamoDB, allow concurrent writes."""
    turn = threading.RLock()
    serve = BotocoreStubber.__call__

    def in_turn(stubber: BotocoreStubber, *args: Any, **kwargs: Any) -> Any:
        with turn:
            return serve(stubber, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BotocoreStubber, "__call__", in_turn)
        yield
