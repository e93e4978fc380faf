"""One local stack for all stack tests: the real template, deployed to the emulator."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local import fake_gemini, package, stack
from testing.real_time import wait_for


@pytest.fixture(scope="session")
def running() -> Iterator[stack.Stack]:
    config = fake_gemini.Config(latency_median=0.2, latency_p95=0.4)
    log = package.ROOT / ".local" / "test-stack.log"
    # No hedges, so that each test determines the requests; a quota that no test reaches.
    parameters = {
        "HedgeShare": "0",
        "RequestsPerMinute": "5000",
        "CallbackHosts": "127.0.0.1",
        "CallbackPrivate": "true",
    }
    with stack.running(parameters=parameters, fake_config=config, log=log) as found:
        yield found


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client


@pytest.fixture
def api(running: stack.Stack, http: httpx.Client) -> "Api":
    return Api(running, http)


def a_case(case_id: str, count: int = 3) -> dict[str, Any]:
    items = [{"id": f"e-{i}", "name": f"Key {i} of {case_id}", "description": "brass"} for i in range(count)]
    return {"caseId": case_id, "evidence": items}


def has_ended(job: dict[str, Any]) -> bool:
    return job["status"] not in ("pending", "generating")


class Api:
    """The API of the running stack."""

    def __init__(self, running: stack.Stack, http: httpx.Client) -> None:
        self.stack = running
        self.http = http

    def call(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request as the caller with every scope, unless `headers` name another caller."""
        given = {"authorization": f"Bearer {self.stack.token}"} | (headers or {})
        return self.http.request(method, self.stack.api_url + path, headers=given, **options)

    def job(self, case_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/api/cases/{case_id}/image-job").json()
        return found

    def ended(self, case_id: str) -> dict[str, Any]:
        """Return the job when it has ended."""
        return wait_for(lambda: self.job(case_id), has_ended, "the end of the job")

    def provider_stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"{self.stack.provider_url}/_stats").json()
        return found

    def configure_provider(self, **config: Any) -> None:
        fast = {"latency_median": 0.2, "latency_p95": 0.4}
        self.http.put(f"{self.stack.provider_url}/_config", json=fast | config).raise_for_status()
