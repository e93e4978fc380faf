"""`make demo`: start the whole stack, develop one case on it, stop everything."""

import argparse
import json
import os
import sys
from pathlib import Path

from darkroom_client import DarkroomError
from darkroom_client.files import BadFile
from rich.console import Console

from local import fake_gemini, package, stack
from local.run_case import develop
from local.signals import ended_by_signal

GEMINI = "https://generativelanguage.googleapis.com"


def main() -> int:
    """Exit code 0 only if the job completed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--provider", type=json.loads, default={}, help="a provider Config as JSON")
    arguments = parser.parse_args()
    console = Console()
    key = os.environ.get("GEMINI_API_KEY")
    provider = stack.Provider(url=GEMINI, key=key) if key else None
    console.print("Starting the emulator and deploying template.yaml to it ...")
    config = fake_gemini.Config(**arguments.provider)
    log = package.ROOT / ".local" / "demo.log"
    try:
        with ended_by_signal(), stack.running(provider=provider, studio_config=config, log=log) as running:
            who = "Gemini" if key else "the provider, a local stand-in that draws placeholders"
            console.print(f"The API is at {running.api_url}", highlight=False, soft_wrap=True)
            console.print(f"Pictures come from {who}.\n")
            job = develop(running.api_url, running.token, arguments.case, arguments.out, console)
    except (BadFile, DarkroomError) as refused:
        console.print(str(refused), style="red", markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything was stopped.")
        return 130
    if not key:
        console.print("Real pictures: GEMINI_API_KEY=... make demo (about half a dollar a case)")
    return 0 if job.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(main())
