"""Send a case to an API, show its progress in the terminal, and write its pictures to a folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from darkroom_client import Client, Job
from darkroom_client.display import failures, follow
from darkroom_client.files import read_case
from rich.console import Console

from local.contact_sheet import contact_sheet

POLL_S = 0.5
"""Poll interval in seconds: shorter than the API's `Retry-After`, since local requests cost nothing."""


class Loopback(httpx.HTTPTransport):
    """A transport that sends requests for the host `alias` to 127.0.0.1.

    `alias` is the address of this machine for containers; this machine itself may not reach it. The header
    Host stays unchanged, because signed addresses are signed with it.
    """

    def __init__(self, alias: str) -> None:
        super().__init__(trust_env=False)
        self._alias = alias

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx.BaseTransport."""
        if request.url.host == self._alias:
            request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


@contextmanager
def client(api_url: str, token: str, *, loopback: str = "127.0.0.1") -> Iterator[Client]:
    """Open a client of a local stack, without a proxy. Requests for the host `loopback` go to 127.0.0.1."""
    with httpx.Client(timeout=30, trust_env=False, transport=Loopback(loopback)) as http:
        yield Client(api_url, token, http=http, sleep=lambda seconds: time.sleep(min(seconds, POLL_S)))


def run_case(
    api_url: str,
    token: str,
    case_file: Path,
    out: Path,
    console: Console,
    *,
    loopback: str = "127.0.0.1",
) -> Job:
    """Return the job when it has ended; raise BadFile, DarkroomError.

    Its pictures, `job.json` and `contact-sheet.png` are then in `out/<caseId>/`.
    """
    started = time.monotonic()
    with client(api_url, token, loopback=loopback) as api:
        submitted = api.submit(read_case(case_file))
        job = follow(console, api.watch(submitted.case_id))
        folder = out / job.case_id
        api.download(job, folder)
    pictures = {
        f"{item.id}  {item.name}": (folder / f"{item.id}.jpg").read_bytes() if item.id in job.images else None
        for item in job.items
    }
    contact_sheet(job.case_id, pictures).save(folder / "contact-sheet.png")
    failures(console, job)
    seconds = time.monotonic() - started
    console.print(
        f"{job.status}: {job.completed_images} of {job.total_images} pictures in {seconds:.1f} s for"
        f" ${job.cost_usd:.2f} (${job.wasted_usd:.2f} of it wasted)",
        soft_wrap=True,
    )
    console.print(
        f"All pictures on one sheet: {folder / 'contact-sheet.png'}", highlight=False, soft_wrap=True
    )
    return job
