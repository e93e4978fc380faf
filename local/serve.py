"""`make local`: keep the stack running until Ctrl-C; `.local/stack.json` says where it is."""

import argparse
import json
import os
import sys
import threading

from local import package, stack, studio
from local.terminal import ended_by_signal

STACK_FILE = package.ROOT / ".local" / "stack.json"


def main() -> int:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--studio", type=json.loads, default={}, help="how the studio behaves: a Config as JSON"
    )
    arguments = parser.parse_args()
    log = package.ROOT / ".local" / "stack.log"
    config = studio.Config(**arguments.studio)
    try:
        with ended_by_signal(), stack.running(studio_config=config, log=log) as running:
            # It holds a secret: for its owner only.
            descriptor = os.open(STACK_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(running.to_json())
            print(f"The API is at {running.api_url}\nAddresses: {STACK_FILE}\nLog: {log}")
            print("Send a case with `make submit`; Ctrl-C stops everything.", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        STACK_FILE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
