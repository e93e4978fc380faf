"""`make demo`: start the whole stack, make the pictures of one case, stop everything."""

import argparse
import json
import os
import sys
from pathlib import Path

from darkroom_client import DarkroomError
from darkroom_client.files import BadFile
from rich.console import Console

from local import fake_gemini, package, stack
from local.run_case import run_case
from local.signals import ended_by_signal

GEMINI = "https://generativelanguage.googleapis.com"


def main() -> int:
    """Return 0 only if the job completed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--provider", type=json.loads, default={}, help="a fake_gemini.Config as JSON")
    arguments = parser.parse_args()
    console = Console()
    key = os.environ.get("GEMINI_API_KEY")
    provider = stack.Provider(url=GEMINI, key=key) if key else None
    console.print("Starting the emulator and deploying template.yaml to it ...")
    config = fake_gemini.Config(**arguments.provider)
    log = package.ROOT / ".local" / "demo.log"
    try:
        with ended_by_signal(), stack.running(provider=provider, fake_config=config, log=log) as running:
            who = "Gemini" if key else "a local fake of Gemini, which draws placeholders"
            console.print(f"The API is at {running.api_url}", highlight=False, soft_wrap=True)
            console.print(f"Pictures come from {who}.\n")
            job = run_case(running.api_url, running.token, arguments.case, arguments.out, console)
    except (BadFile, DarkroomError) as refused:
        console.print(str(refused), style="red", markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything was stopped.")
        return 130
    if not key:
        console.print("For real pictures: GEMINI_API_KEY=... make demo (about $0.50 a case)", soft_wrap=True)
    return 0 if job.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
