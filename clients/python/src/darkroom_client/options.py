"""Options and arguments that several commands share."""

import math
from pathlib import Path
from typing import Annotated

import typer


def _finite(number: float | None) -> float | None:
    if number is not None and not (math.isfinite(number) and number >= 0):
        raise typer.BadParameter("must be a number of at least 0")
    return number


CaseId = Annotated[str, typer.Argument(metavar="CASE-ID", help="Id of the case.")]
Url = Annotated[str, typer.Option("--url", envvar="DARKROOM_URL", help="Address of the API.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", envvar="DARKROOM_TOKEN_FILE", help="File with the token.")
]
# Hidden, because a token that is typed on a command line stays in the shell's history.
Token = Annotated[str, typer.Option("--token", envvar="DARKROOM_TOKEN", hidden=True, show_envvar=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write the pictures to this folder.", file_okay=False, writable=True),
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow the job until it has ended.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", help="Stop watching after this many seconds.", callback=_finite)
]
Cost = Annotated[
    float | None, typer.Option(help="Maximum cost of the job, including earlier runs.", callback=_finite)
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Write the pictures to this folder.", file_okay=False, writable=True)
]
Share = Annotated[str, typer.Option(help="What the link to the page allows: read or retry.")]
