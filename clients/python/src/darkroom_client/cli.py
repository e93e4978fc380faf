"""The command `darkroom`."""

import shlex
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import Console

from darkroom_client import display, exits
from darkroom_client.client import Client
from darkroom_client.errors import Conflict, MissingPictures
from darkroom_client.exits import MEANING, Exit
from darkroom_client.files import read_case, read_token
from darkroom_client.models import Job, Status
from darkroom_client.options import (
    CaseId,
    Cost,
    Json,
    Out,
    OutFolder,
    Share,
    Timeout,
    Token,
    TokenFile,
    Url,
    Watch,
)
from darkroom_client.text import as_json as json_of

HELP = """Make the pictures of a mystery-game case.

DARKROOM_URL and DARKROOM_TOKEN say where and who; a token may also lie in a file (DARKROOM_TOKEN_FILE).

\b
Exit codes:
""" + "\n".join(f"{code:5}  {meaning}" for code, meaning in MEANING.items())

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)

_ENDS: dict[str, Exit] = {
    Status.FAILED: Exit.FAILED,
    Status.PARTIAL: Exit.PARTIAL,
    Status.CANCELLED: Exit.CANCELLED,
}


@contextmanager
def _client(url: str, token: str, token_file: Path | None) -> Iterator[Client]:
    """The client; what goes wrong with it ends the command with one line and a code."""
    with exits.errors_end_the_command():
        token = token or (read_token(token_file) if token_file else "")
        if not url or not token:
            exits.end("set DARKROOM_URL, and DARKROOM_TOKEN or DARKROOM_TOKEN_FILE", Exit.USAGE)
        with Client(url, token) as client:
            yield client


@contextmanager
def _interrupted(message: str) -> Iterator[None]:
    """Say `message` when somebody presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        exits.end(message, Exit.INTERRUPTED)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _show(found: BaseModel) -> None:
    _print(json_of(found, ascii_only=Console().options.ascii_only))


def _finish(
    client: Client,
    job: Job,
    *,
    as_json: bool,
    watch: bool = False,
    out: Path | None = None,
    timeout: float | None = None,
) -> None:
    """Follow `job` if asked to, write its pictures, say how it stands, end with its code."""
    console = Console()
    if job.share_url and not as_json:
        display.line(console, f"Watch it: {job.share_url}")
    followed = watch and job.is_open
    if followed:
        job = _follow(client, job, None if as_json else console, timeout)
    code = _ENDS.get(job.status, Exit.OK)
    if out is not None and not job.is_open:
        _, whole = _download(client, job, out)
        code = code if whole or code else Exit.PARTIAL
    if as_json:
        _show(job)
    elif followed:
        display.failures(console, job)
    else:
        display.summary(console, job)
    raise typer.Exit(code)


def _follow(client: Client, job: Job, console: Console | None, timeout: float | None) -> Job:
    """The job when it has ended, shown on `console` meanwhile, with the links that a submission gets."""
    name = shlex.quote(job.case_id)
    with _interrupted(
        f"The job goes on. Follow it again: darkroom watch {name}\nStop it: darkroom cancel {name}"
    ):
        states = client.watch(job.case_id, timeout)
        last = [*states][-1] if console is None else display.follow(console, states)
    return last.model_copy(update={"share_url": job.share_url, "status_url": job.status_url})


def _download(client: Client, job: Job, out: Path) -> tuple[list[Path], bool]:
    """Write the pictures of `job`; the files, and whether each picture that the job has is among them."""
    again = f"darkroom download {shlex.quote(job.case_id)} --out {shlex.quote(str(out))}"
    with _interrupted(f"Not all pictures were fetched. Fetch them: {again}"):
        try:
            return client.download(job, out), True
        except MissingPictures as error:
            for item_id, why in error.missing.items():
                exits.say(f"{item_id}: no picture: {why}")
            return error.written, False


def _version(asked: bool) -> None:
    if asked:
        _print(f"darkroom {version('darkroom-client')}")
        raise typer.Exit


@app.callback(help=HELP)
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None: ...


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="The case, as JSON or YAML.")],
    watch: Watch = False,
    out: Out = None,
    replace: Annotated[bool, typer.Option(help="Replace a job of this case that has ended.")] = False,
    share: Share = "read",
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Submit a case. The same case again is the job there is."""
    with _client(url, token, token_file) as client:
        wanted = read_case(file)
        with _interrupted("No answer came. The case may be submitted: the same command again finds its job."):
            job = client.submit(wanted, replace=replace, share=share)
        _finish(client, job, as_json=as_json, watch=watch or out is not None, out=out)


@app.command()
def get(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Say how a job stands."""
    with _client(url, token, token_file) as client:
        _finish(client, client.get(case_id), as_json=as_json)


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
        _finish(client, client.get(case_id), as_json=as_json, watch=True, out=out, timeout=timeout)


@app.command()
def retry(
    case_id: CaseId,
    description: Annotated[
        list[str] | None, typer.Option(help="Another description for an item: ID=TEXT. May be repeated.")
    ] = None,
    max_cost_usd: Cost = None,
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
        name = shlex.quote(case_id)
        with _interrupted(f"No answer came. The job may be on its way again: darkroom get {name} says so."):
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
    out: OutFolder,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Write the pictures that there are, and job.json; says which files."""
    with _client(url, token, token_file) as client:
        job = client.get(case_id)
        written, whole = _download(client, job, out)
        for path in written:
            _print(str(path))
        for item in job.items:
            if item.id not in job.images:
                why = job.errors.get(item.id)
                exits.say(f"{item.id}: no picture: " + (f"{why.code}: {why.message}" if why else job.status))
        raise typer.Exit(Exit.OK if whole and len(job.images) >= job.total_images else Exit.PARTIAL)


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
    case: Annotated[
        str,
        typer.Argument(
            metavar="CASE", help="The id of a case, or its file, which is submitted if it is new."
        ),
    ],
    share: Share = "read",
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Open the page of a case in the browser, and print its link."""
    with _client(url, token, token_file) as client:
        file = Path(case)
        try:
            job = client.submit(read_case(file) if file.is_file() else client.case(case), share=share)
        except Conflict as error:
            exits.end(f"{error}\nThe link that its submission answered still opens it.", Exit.REFUSED)
        link = job.share_url or ""
        if not link.startswith(("https://", "http://")):
            exits.end("the API gave no link to the page", Exit.REFUSED)
        _print(link)
        if not _browse(link):
            exits.say("No browser was found: open the link yourself.")


def _browse(link: str) -> bool:
    try:
        return webbrowser.open(link)
    except webbrowser.Error:
        return False


def main() -> None:
    """Run the command."""
    exits.run(app)
