"""The command `darkroom`."""

import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console

from darkroom_client import display
from darkroom_client.client import Client
from darkroom_client.errors import DarkroomError, TimedOut, Unreachable
from darkroom_client.files import BadFile, read_case
from darkroom_client.models import Job, Status


class Exit(IntEnum):
    """What the command ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    CANCELLED = 4
    REFUSED = 5
    UNREACHABLE = 6


HELP = """Make the pictures of a mystery-game case.

DARKROOM_URL and DARKROOM_TOKEN say where and who; a token may also lie in a file (DARKROOM_TOKEN_FILE).

Exit codes: 0 done, 1 the job failed, 2 wrong usage or a bad file, 3 some pictures are missing,
4 the job was cancelled, 5 the API refused, 6 no answer, or not in time."""

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)

_ENDS = {Status.FAILED: Exit.FAILED, Status.PARTIAL: Exit.PARTIAL, Status.CANCELLED: Exit.CANCELLED}

CaseId = Annotated[str, typer.Argument(metavar="CASE-ID", help="The case.")]
Url = Annotated[str, typer.Option("--url", envvar="DARKROOM_URL", help="Where the API is.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", envvar="DARKROOM_TOKEN_FILE", help="A file with the token.")
]
# Not shown and no option of its own to type: a token on a command line is in the shell's history.
Token = Annotated[str, typer.Option("--token", envvar="DARKROOM_TOKEN", hidden=True, show_envvar=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the pictures into this folder.")]
Watch = Annotated[bool, typer.Option("--watch", help="Follow the job until it has ended.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Give up watching after so many seconds.")]


@contextmanager
def _client(url: str, token: str, token_file: Path | None) -> Iterator[Client]:
    """The client; what goes wrong with it ends the command with one line and a code."""
    try:
        token = token or (token_file.read_text(encoding="utf-8").strip() if token_file else "")
        if not url or not token:
            _end("set DARKROOM_URL, and DARKROOM_TOKEN or DARKROOM_TOKEN_FILE", Exit.USAGE)
        with Client(url, token) as client:
            yield client
    except (BadFile, OSError) as error:
        _end(str(error), Exit.USAGE)
    except (Unreachable, TimedOut) as error:
        _end(str(error), Exit.UNREACHABLE)
    except DarkroomError as error:
        fields = "".join(f"\n  {wrong.field}: {wrong.message}" for wrong in error.fields)
        _end(f"{error.status} {error.code} {error}{fields}", Exit.REFUSED)


def _end(message: str, code: Exit) -> None:
    lines = "\n".join(display.plain(line) for line in message.splitlines())
    Console(stderr=True).print(lines, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code)


def _show(found: BaseModel) -> None:
    sys.stdout.write(found.model_dump_json(by_alias=True, exclude_none=True) + "\n")


def _finish(client: Client, job: Job, *, as_json: bool, watch: bool, out: Path | None) -> None:
    """Follow `job` if asked to, write its pictures, say how it stands, end with its code."""
    console = Console()
    if watch and job.is_open:
        states = client.watch(job.case_id)
        shared = job.share_url
        last = [*states][-1] if as_json else display.follow(console, states)
        job = last.model_copy(update={"share_url": shared})
    if out is not None and not job.is_open:
        client.download(job, out)
    if as_json:
        _show(job)
    else:
        display.summary(console, job)
        if job.share_url:
            console.print(f"Watch it: {job.share_url}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(_ENDS.get(job.status, Exit.OK))


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="The case, as JSON or YAML.")],
    watch: Watch = False,
    out: Out = None,
    replace: Annotated[bool, typer.Option(help="Replace a job of this case that has ended.")] = False,
    share: Annotated[str, typer.Option(help="What the page's link allows: read or retry.")] = "read",
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Submit a case. The same case again is the job there is."""
    with _client(url, token, token_file) as client:
        job = client.submit(read_case(file), replace=replace, share=share)
        _finish(client, job, as_json=as_json, watch=watch or out is not None, out=out)


@app.command()
def get(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Say how a job stands."""
    with _client(url, token, token_file) as client:
        _finish(client, client.get(case_id), as_json=as_json, watch=False, out=None)


@app.command()
def case(case_id: CaseId, url: Url = "", token: Token = "", token_file: TokenFile = None) -> None:
    """Print what was submitted, as retries have changed it: a case file."""
    with _client(url, token, token_file) as client:
        _show(client.case(case_id))


@app.command()
def watch(
    case_id: CaseId,
    out: Out = None,
    timeout: Timeout = None,
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Follow a job until it has ended."""
    with _client(url, token, token_file) as client:
        job = client.get(case_id) if timeout is None else client.wait(case_id, timeout)
        _finish(client, job, as_json=as_json, watch=True, out=out)


@app.command()
def retry(
    case_id: CaseId,
    description: Annotated[
        list[str] | None, typer.Option(help="Another description for an item: ID=TEXT. May be repeated.")
    ] = None,
    max_cost_usd: Annotated[
        float | None, typer.Option(help="What the job may cost from its beginning.")
    ] = None,
    watch: Watch = False,
    out: Out = None,
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Try again what has no picture."""
    changes = dict(text.partition("=")[::2] for text in description or [])
    if not all(changes.values()):
        raise typer.BadParameter("must be ID=TEXT", param_hint="--description")
    with _client(url, token, token_file) as client:
        job = client.retry(case_id, changes, max_cost_usd=max_cost_usd)
        _finish(client, job, as_json=as_json, watch=watch or out is not None, out=out)


@app.command()
def cancel(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Stop a job; pictures made so far stay."""
    with _client(url, token, token_file) as client:
        job = client.cancel(case_id)
        _show(job) if as_json else display.summary(Console(), job)


@app.command()
def download(
    case_id: CaseId,
    out: Annotated[Path, typer.Option(help="Write into this folder.")],
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Write the pictures that there are, and job.json; says which files."""
    with _client(url, token, token_file) as client:
        for path in client.download(client.get(case_id), out):
            sys.stdout.write(f"{path}\n")


@app.command()
def timeline(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Say what happened to a case, and when."""
    with _client(url, token, token_file) as client:
        told = client.timeline(case_id)
        _show(told) if as_json else display.timeline(Console(), told)


@app.command()
def callbacks(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Say what was sent to the receiver of a case, and what it answered."""
    with _client(url, token, token_file) as client:
        found = client.callbacks(case_id)
        _show(found) if as_json else display.callbacks(Console(), found)


@app.command()
def replay(
    case_id: CaseId,
    version: Annotated[int, typer.Argument(help="Of the job, as `callbacks` lists it.")],
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Send a callback again."""
    with _client(url, token, token_file) as client:
        _show(client.replay(case_id, version))


@app.command()
def metrics(
    window: Annotated[str, typer.Option(help="1h, 24h or 7d.")] = "24h",
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Say how the deployment did."""
    with _client(url, token, token_file) as client:
        found = client.metrics(window)
        _show(found) if as_json else display.metrics(Console(), found)


@app.command("open")
def open_page(
    file: Annotated[Path, typer.Argument(help="The case that was submitted, as JSON or YAML.")],
    share: Annotated[str, typer.Option(help="What the page's link allows: read or retry.")] = "read",
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Submit a case, or find the job there is, and open its page in the browser."""
    with _client(url, token, token_file) as client:
        link = client.submit(read_case(file), share=share).share_url or ""
        sys.stdout.write(f"{link}\n")
        webbrowser.open(link)


def main() -> None:
    """Run the command."""
    app()
