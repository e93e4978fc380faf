"""`make local`: keep the stack running until Ctrl-C; `.local/stack.json` holds its addresses."""

import argparse
import json
import os
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from local import fake_gemini, package, receiver, stack
from local.signals import ended_by_signal

STACK_FILE = package.ROOT / ".local" / "stack.json"
RECEIVERS_ON_LOOPBACK = {"CallbackHosts": "127.0.0.1,localhost", "CallbackPrivate": "true"}


def main() -> int:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--provider",
        type=json.loads,
        default={},
        help="how the provider behaves: a fake_gemini.Config as JSON",
    )
    arguments = parser.parse_args()
    log = package.ROOT / ".local" / "stack.log"
    config = fake_gemini.Config(**arguments.provider)
    try:
        with ended_by_signal(), ExitStack() as open_:
            running = open_.enter_context(
                stack.running(fake_config=config, log=log, parameters=RECEIVERS_ON_LOOPBACK)
            )
            secrets = receiver.callback_secrets(running.api_url, running.token)
            callbacks = receiver.Server(secrets, partial(print, flush=True))
            open_.enter_context(stack.serving(callbacks))
            # It holds a secret, so only its owner may read it.
            descriptor = os.open(STACK_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(replace(running, receiver_url=callbacks.url).to_json())
            print(f"The API is at {running.api_url}\nAddresses and token: {STACK_FILE}\nLog: {log}")
            print(f"Callbacks to {callbacks.url} are printed here.")
            print("Send a case with `make submit`; Ctrl-C stops everything.", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        STACK_FILE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
