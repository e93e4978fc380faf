"""Options and arguments that several commands have."""

import math
from pathlib import Path
from typing import Annotated

import typer


def _finite(number: float | None) -> float | None:
    if number is not None and not (math.isfinite(number) and number >= 0):
        raise typer.BadParameter("must be a number of at least 0")
    return number


CaseId = Annotated[str, typer.Argument(metavar="CASE-ID", help="The case.")]
Url = Annotated[str, typer.Option("--url", envvar="DARKROOM_URL", help="Where the API is.")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", envvar="DARKROOM_TOKEN_FILE", help="A file with the token.")
]
# Not shown and no option of its own to type: a token on a command line is in the shell's history.
Token = Annotated[str, typer.Option("--token", envvar="DARKROOM_TOKEN", hidden=True, show_envvar=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write the pictures into this folder.", file_okay=False, writable=True),
]
Watch = Annotated[bool, typer.Option("--watch", help="Follow the job until it has ended.")]
Timeout = Annotated[
    float | None, typer.Option("--timeout", help="Give up watching after so many seconds.", callback=_finite)
]
Cost = Annotated[
    float | None, typer.Option(help="What the job may cost from its beginning.", callback=_finite)
]
OutFolder = Annotated[
    Path, typer.Option("--out", help="Write into this folder.", file_okay=False, writable=True)
]
Share = Annotated[str, typer.Option(help="What the page's link allows: read or retry.")]
