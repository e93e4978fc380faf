"""`make sam-local`: run the functions that `sam build` made in Lambda's containers, on the local stack.

1. `sam local invoke` runs every function of the template with its event in `events/`
2. `sam local start-api` and `sam local start-lambda` run a whole case

The table, the bucket, the secrets and the provider are those of `local/stack.py`. It needs a container
engine; without one it says what is missing. Set `SAM_LOCAL_HOST` to the address of this machine for
containers when the address that it finds does not work. When everything passed, it writes the commit to
`.local/sam/passed`.
"""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from darkroom_client import DarkroomError
from rich.console import Console

from local import fake_gemini, package, stack
from local.container_engine import Missing, address_for_containers, check_reachable, find_engine, image
from local.forward import forwarding
from local.run_case import run_case
from local.sam import TEMPORARY, WORK, Failed, Place, sam_serving, write_template
from local.sam_steps import EVENTS, invoke_all
from local.signals import ended_by_signal

PASSED = WORK / "passed"
"""The file with the commit whose functions all passed."""


@contextmanager
def receiving() -> Iterator[int]:
    """Receive callbacks on a port of loopback while the block runs; raise Failed when none has come."""
    received = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            received.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with stack.serving(ThreadingHTTPServer(("127.0.0.1", 0), Receiver)) as server:
        yield server.server_port
    if not received.is_set():
        raise Failed("the receiver got no callback")


def run(console: Console) -> None:
    """Run both parts; raise Missing, Failed, DarkroomError."""
    engine = find_engine()
    console.print(f"{engine} runs; functions run in {image()}", highlight=False)
    address = address_for_containers(engine)
    # sam locks the building of images with files there; a lock left by an interrupted run would make it wait.
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir(parents=True)
    with ExitStack() as open_things:
        config = fake_gemini.Config(latency_median=2, latency_p95=4)
        parameters = {"CallbackHosts": address, "CallbackPrivate": "true"}
        log = WORK / "stack.log"
        running = open_things.enter_context(stack.running(fake_config=config, parameters=parameters, log=log))
        place = Place(
            address=address,
            stack=running,
            api_port=stack.free_port(),
            lambda_port=stack.free_port(),
            receiver_port=open_things.enter_context(receiving()),
        )
        for port in place.ports:
            open_things.enter_context(forwarding(address, port))
        check_reachable(engine, address, place.ports[0])
        console.print(f"The local stack runs; containers reach it at {address}\n", highlight=False)
        template = write_template(place)
        open_things.callback(template.unlink)

        console.print("sam local invoke, each function with its event:")
        for invoked in invoke_all(place, template):
            console.print(invoked.line(), highlight=False, markup=False, soft_wrap=True)

        console.print("\nsam local start-api and start-lambda, a whole case:")
        with (
            sam_serving("start-lambda", template, place.lambda_port),
            sam_serving("start-api", template, place.api_port),
        ):
            api_url = f"http://127.0.0.1:{place.api_port}"
            console.print(f"  The API is at {api_url}", highlight=False)
            case, out = EVENTS / "case.json", WORK / "out"
            job = run_case(api_url, running.token, case, out, console, loopback=address)
        if job.status != "completed":
            raise Failed(f"the job ended {job.status}")


def commit() -> str | None:
    """Return the commit of the work tree; None when it has changes, or git does not know it."""
    found = [_git("status", "--porcelain"), _git("rev-parse", "HEAD")]
    return found[1] if found[0] == "" else None


def _git(*arguments: str) -> str | None:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=package.ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def record(console: Console, before: str | None) -> None:
    """Write the commit that passed, if the work tree still holds it."""
    if before is None or commit() != before:
        console.print(
            "Everything passed, but this work tree is not committed: commit it and run this again to write"
            f" {PASSED.relative_to(package.ROOT)}.",
            highlight=False,
            soft_wrap=True,
        )
        return
    PASSED.write_text(f"{before}\n")
    console.print(f"Everything passed: commit {before}", highlight=False)


def main() -> int:
    """Return 0 only if everything worked."""
    console = Console()
    PASSED.unlink(missing_ok=True)
    before = commit()
    try:
        with ended_by_signal():
            run(console)
    except Missing as missing:
        console.print(f"sam-local cannot run here: {missing}", highlight=False, markup=False, soft_wrap=True)
        return 1
    except (Failed, DarkroomError) as failed:
        console.print(f"{failed}\nLogs: {WORK}", highlight=False, markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything was stopped.")
        return 130
    record(console, before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
