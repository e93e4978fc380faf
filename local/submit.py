"""`make submit`: send a case to the stack that `make local` keeps running."""

import argparse
import json
import sys
from pathlib import Path

from darkroom_client import DarkroomError
from darkroom_client.files import BadFile
from rich.console import Console

from local.run_case import run_case
from local.serve import STACK_FILE


def main() -> int:
    """Return 0 only if the job completed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    console = Console()
    if not STACK_FILE.exists():
        console.print("[red]No stack is running: start one with `make local`.[/]")
        return 2
    stack = json.loads(STACK_FILE.read_text())
    try:
        job = run_case(stack["apiUrl"], stack["token"], arguments.case, arguments.out, console)
    except (BadFile, DarkroomError) as refused:
        console.print(str(refused), style="red", markup=False, highlight=False)
        return 2
    return 0 if job.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
