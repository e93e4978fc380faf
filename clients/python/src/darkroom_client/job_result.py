"""Show a job, follow it, write its pictures, and end the command with the job's exit code."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from pydantic import BaseModel
from rich.console import Console

from darkroom_client import display, exits
from darkroom_client.client import Client
from darkroom_client.errors import MissingPictures
from darkroom_client.exits import Exit
from darkroom_client.models import Job, Status
from darkroom_client.text import as_json as json_of

_EXITS: dict[str, Exit] = {
    Status.FAILED: Exit.FAILED,
    Status.PARTIAL: Exit.PARTIAL,
    Status.CANCELLED: Exit.CANCELLED,
}


@contextmanager
def interrupted(message: str) -> Iterator[None]:
    """Print `message` and end the command when the user presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        exits.end(message, Exit.INTERRUPTED)


def print_line(text: str) -> None:
    """Print a line at once, without any markup."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_json(found: BaseModel) -> None:
    """Print a model as one line of JSON."""
    print_line(json_of(found, ascii_only=Console().options.ascii_only))


def show[M: BaseModel](found: M, view: Callable[[Console, M], None], *, as_json: bool) -> None:
    """Print a model as one line of JSON, or with `view`."""
    if as_json:
        print_json(found)
    else:
        view(Console(), found)


def finish(
    client: Client,
    job: Job,
    *,
    as_json: bool,
    watch: bool = False,
    out: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Follow `job` with `watch`, write its pictures to `out`, print it, and exit with its code."""
    console = Console()
    if job.share_url and not as_json:
        display.line(console, f"Watch it: {job.share_url}")
    followed = watch and job.is_open
    if followed:
        job = _follow(client, job, None if as_json else console, timeout)
    code = _EXITS.get(job.status, Exit.OK)
    if out is not None and not job.is_open:
        _, complete = download(client, job, out)
        code = code if complete or code else Exit.PARTIAL
    if as_json:
        print_json(job)
    elif followed:
        display.failures(console, job)
    else:
        display.summary(console, job)
    raise typer.Exit(code)


def download(client: Client, job: Job, out: Path) -> tuple[list[Path], bool]:
    """Write the pictures of `job`; return the files, and True if no fetch failed."""
    again = f"darkroom download {shlex.quote(job.case_id)} --out {shlex.quote(str(out))}"
    with interrupted(f"Some pictures were not fetched. Fetch them with: {again}"):
        try:
            return client.download(job, out), True
        except MissingPictures as error:
            for item_id, reason in error.missing.items():
                exits.print_error(f"{item_id}: no picture: {reason}")
            return error.written, False


def _follow(client: Client, job: Job, console: Console | None, timeout: float | None) -> Job:
    """Follow a job, shown on `console` meanwhile; return it when it has ended, with its links."""
    name = shlex.quote(job.case_id)
    with interrupted(
        f"The job continues. Follow it again: darkroom watch {name}\nStop it: darkroom cancel {name}"
    ):
        states = client.watch(job.case_id, timeout)
        last = [*states][-1] if console is None else display.follow(console, states)
    return last.model_copy(update={"share_url": job.share_url, "status_url": job.status_url})
