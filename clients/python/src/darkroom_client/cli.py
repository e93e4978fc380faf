"""The command `darkroom`: its subcommands."""

import shlex
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from darkroom_client import display, exits
from darkroom_client.client import Client
from darkroom_client.errors import Conflict
from darkroom_client.exits import MEANING, Exit
from darkroom_client.files import read_case, read_token
from darkroom_client.job_result import download as download_pictures
from darkroom_client.job_result import finish, interrupted, print_json, print_line, show
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

HELP = """Make the pictures of a mystery-game case.

Set DARKROOM_URL to the API's address, and DARKROOM_TOKEN to your token, or DARKROOM_TOKEN_FILE to its file.

\b
Exit codes:
""" + "\n".join(f"{code:5}  {meaning}" for code, meaning in MEANING.items())

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)


@contextmanager
def _client(url: str, token: str, token_file: Path | None) -> Iterator[Client]:
    """Open a client; an error in the block ends the command with a message and an exit code."""
    with exits.errors_end_the_command():
        token = token or (read_token(token_file) if token_file else "")
        if not url or not token:
            exits.end("set DARKROOM_URL, and DARKROOM_TOKEN or DARKROOM_TOKEN_FILE", Exit.USAGE)
        with Client(url, token) as client:
            yield client


def _version(wanted: bool) -> None:
    if wanted:
        print_line(f"darkroom {version('darkroom-client')}")
        raise typer.Exit


@app.callback(help=HELP)
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


@app.command()
def submit(
    file: Annotated[Path, typer.Argument(help="The case, as JSON or YAML.")],
    watch: Watch = False,
    out: Out = None,
    replace: Annotated[bool, typer.Option(help="Replace this case's job if it has ended.")] = False,
    share: Share = "read",
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Submit a case. The same case again returns the existing job."""
    with _client(url, token, token_file) as client:
        submitted = read_case(file)
        with interrupted("No response yet. Perhaps the case was submitted: run this command again to see."):
            job = client.submit(submitted, replace=replace, share=share)
        finish(client, job, as_json=as_json, watch=watch or out is not None, out=out)


@app.command()
def get(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Show the state of a job."""
    with _client(url, token, token_file) as client:
        finish(client, client.get(case_id), as_json=as_json)


@app.command()
def case(case_id: CaseId, url: Url = "", token: Token = "", token_file: TokenFile = None) -> None:
    """Print the submitted case, with the changes of retries, as a case file."""
    with _client(url, token, token_file) as client:
        print_json(client.case(case_id))


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
        finish(client, client.get(case_id), as_json=as_json, watch=True, out=out, timeout=timeout)


@app.command()
def retry(
    case_id: CaseId,
    description: Annotated[
        list[str] | None, typer.Option(help="New description of an item: ID=TEXT. May be repeated.")
    ] = None,
    max_cost_usd: Cost = None,
    watch: Watch = False,
    out: Out = None,
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Make the missing pictures of a job that has ended."""
    changes = dict(text.partition("=")[::2] for text in description or [])
    if not all(changes.values()):
        raise typer.BadParameter("must be ID=TEXT", param_hint="--description")
    with _client(url, token, token_file) as client:
        name = shlex.quote(case_id)
        with interrupted(f"No response yet. Perhaps the job runs again: see darkroom get {name}"):
            job = client.retry(case_id, changes, max_cost_usd=max_cost_usd)
        finish(client, job, as_json=as_json, watch=watch or out is not None, out=out)


@app.command()
def cancel(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Cancel a job; pictures made so far stay."""
    with _client(url, token, token_file) as client:
        show(client.cancel(case_id), display.summary, as_json=as_json)


@app.command()
def download(
    case_id: CaseId,
    out: OutFolder,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Write the pictures of a job and job.json, and list the files."""
    with _client(url, token, token_file) as client:
        job = client.get(case_id)
        written, complete = download_pictures(client, job, out)
        for path in written:
            print_line(str(path))
        for item in job.items:
            if item.id not in job.images:
                failure = job.errors.get(item.id)
                reason = f"{failure.code}: {failure.message}" if failure else job.status
                exits.print_error(f"{item.id}: no picture: {reason}")
        raise typer.Exit(Exit.OK if complete and len(job.images) >= job.total_images else Exit.PARTIAL)


@app.command()
def timeline(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """Show what happened to a case, and when."""
    with _client(url, token, token_file) as client:
        show(client.timeline(case_id), display.timeline, as_json=as_json)


@app.command()
def callbacks(
    case_id: CaseId, as_json: Json = False, url: Url = "", token: Token = "", token_file: TokenFile = None
) -> None:
    """List the callbacks of a case, and the receiver's responses."""
    with _client(url, token, token_file) as client:
        show(client.callbacks(case_id), display.callbacks, as_json=as_json)


@app.command()
def replay(
    case_id: CaseId,
    version: Annotated[int, typer.Argument(help="Version of the job, from the list of `callbacks`.")],
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Send a callback again."""
    with _client(url, token, token_file) as client:
        print_json(client.replay(case_id, version))


@app.command()
def metrics(
    window: Annotated[str, typer.Option(help="Length of time: 1h, 24h or 7d.")] = "24h",
    as_json: Json = False,
    url: Url = "",
    token: Token = "",
    token_file: TokenFile = None,
) -> None:
    """Show figures of the deployment."""
    with _client(url, token, token_file) as client:
        show(client.metrics(window), display.metrics, as_json=as_json)


@app.command("open")
def open_page(
    case: Annotated[
        str,
        typer.Argument(metavar="CASE", help="Id of a case, or its file, which is submitted if it is new."),
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
            exits.end(f"{error}\nThe link from its submission still opens the page.", Exit.REFUSED)
        link = job.share_url or ""
        if not link.startswith(("https://", "http://")):
            exits.end("the API returned no link to the page", Exit.REFUSED)
        print_line(link)
        if not _browse(link):
            exits.print_error("No browser was found: open the link yourself.")


def _browse(link: str) -> bool:
    try:
        return webbrowser.open(link)
    except webbrowser.Error:
        return False


def main() -> None:
    """Run the command."""
    exits.run(app)
