"""Fixtures: the page in a real Chromium, on a local stack of its own."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from local import fake_gemini, package, run_case, stack

NARROW = {"viewport": {"width": 360, "height": 740}}
expect.set_options(timeout=20_000)  # the machine may be busy
SHOTS = package.ROOT / "out" / "screenshots"


@pytest.fixture(scope="session")
def running() -> Iterator[stack.Stack]:
    config = fake_gemini.Config(latency_median=0.4, latency_p95=0.8)
    log = package.ROOT / ".local" / "browser-stack.log"
    with stack.running(parameters={"HedgeShare": "0"}, fake_config=config, log=log) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--no-proxy-server"]
        )
        yield browser
        browser.close()


def the_case(case_id: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((package.ROOT / "events" / "case.json").read_text())
    return made | {"caseId": case_id}


def a_case(case_id: str, *names: str) -> dict[str, Any]:
    items = [{"id": f"e-{n}", "name": name, "description": "brass"} for n, name in enumerate(names)]
    return {"caseId": case_id, "evidence": items}


class Viewer:
    """A page, the stack that it shows, and the errors that the browser reports."""

    def __init__(self, page: Page, running: stack.Stack) -> None:
        self.page = page
        self.stack = running
        self.http = httpx.Client(
            base_url=running.api_url,
            headers={"authorization": f"Bearer {running.token}"},
            timeout=30,
            trust_env=False,
        )
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._listen)
        page.on("dialog", lambda dialog: self.errors.append(f"a dialog: {dialog.message}"))

    def _listen(self, message: Any) -> None:
        if message.type == "error" and "the server responded with a status" not in message.text:
            self.errors.append(message.text)

    def submit(self, case: dict[str, Any], share: str = "read") -> str:
        """Submit a case; return its share link."""
        response = self.http.post("/api/generate-case-images", json=case, params={"share": share})
        response.raise_for_status()
        return str(response.json()["shareUrl"])

    def submit_and_finish(self, case: dict[str, Any], share: str = "read") -> str:
        """Submit a case; return its share link when it has ended."""
        link = self.submit(case, share)
        with run_case.client(self.stack.api_url, self.stack.token) as client:
            client.wait(case["caseId"], timeout=60)
        return link

    def job(self, case_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/cases/{case_id}/image-job").json()
        return found

    def owners_link(self, link: str) -> str:
        """Return the link to a shared page with the token of the caller who submitted the case."""
        return f"{link.partition('#')[0]}#{quote(self.stack.token, safe='')}"

    def configure_provider(self, **config: Any) -> None:
        fast = {"latency_median": 0.4, "latency_p95": 0.8}
        httpx.put(
            f"{self.stack.provider_url}/_config", json=fast | config, trust_env=False
        ).raise_for_status()

    def keep(self, name: str) -> Path:
        """Save a screenshot of the whole page."""
        path = SHOTS / f"{name}.png"
        self.page.screenshot(
            full_page=True
        )  # Chromium shows pictures below the window in the second one only
        self.page.screenshot(path=path, full_page=True)
        return path


@pytest.fixture
def viewer(chromium: Browser, running: stack.Stack, request: pytest.FixtureRequest) -> Iterator[Viewer]:
    """Open a page, and check at the end that the browser reported no error."""
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}
    marker = request.node.get_closest_marker("browser")
    context = chromium.new_context(**(options | (marker.kwargs if marker else {})))
    context.set_default_timeout(60_000)
    found = Viewer(context.new_page(), running)
    yield found
    found.configure_provider()
    found.http.close()
    context.close()
    assert found.errors == []
