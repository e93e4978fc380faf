"""`make sam-local`: the functions as `sam build` made them, in Lambda's containers, on the local stack.

1. `sam local invoke` of every function with its event in `events/`
2. a whole case by `sam local start-api`, its worker by `sam local start-lambda`

The table, the bucket, the secrets and the studio are those of `local/stack.py`. It needs a container
engine; without one it says what is missing. `SAM_LOCAL_HOST` is the address of this machine for
containers, when the one found does not do.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from darkroom.adapters import standard_webhooks
from darkroom_client import Case, DarkroomError
from rich.console import Console

from local import cloudformation, package, stack, studio
from local.develop import client, develop
from local.engine import (
    BUILD,
    Missing,
    address_for_containers,
    architecture,
    check_reachable,
    find_engine,
    image,
)
from local.forward import forwarding
from local.stack import Stack
from local.terminal import ended_by_signal

type Event = dict[str, Any]
type Answer = dict[str, Any]

WORK = package.ROOT / ".local" / "sam"
TEMPORARY = WORK / "tmp"
EVENTS = package.ROOT / "events"
SAM = str(package.ROOT / ".tools" / "sam" / "bin" / "sam")
WEBHOOK_PATH = "/api/webhook/image-progress"
SHOWN = frozenset(
    {"isAuthorized", "caseId", "status", "completedImages", "totalImages", "duration", "costUsd"}
    | {"rearmed", "ended", "stuck", "failed", "batchItemFailures"}
)
"""What the terminal tells of an answer."""
INVOKE_S = 400
"""Seconds that sam may take for one function: the worker's 300 and those to start it."""
START_S = 120
"""Seconds that sam may take to listen."""


class Failed(Exception):
    """A function or sam did not do what it should have; the message says which and what."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where containers find what listens on this machine's loopback."""

    address: str
    stack: Stack
    api_port: int
    lambda_port: int

    def inside(self, url: str) -> str:
        """`url` of this machine's loopback, as a container must call it."""
        return url.replace("//127.0.0.1", f"//{self.address}")

    @property
    def api_url(self) -> str:
        """Of `sam local start-api`."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def ports(self) -> list[int]:
        """All that a container may call."""
        urls = [self.stack.emulator_url, self.stack.studio_url or ""]
        found = [urllib.parse.urlsplit(url).port for url in urls]
        return [*(port for port in found if port), self.api_port, self.lambda_port]


# ---- What sam is given ------------------------------------------------------------------------------


def write_template(place: Place) -> Path:
    """The build's template, with the environment each function has on the local stack.

    Of `--env-vars` sam takes only what the template names; the addresses of the emulator are not in it.
    """
    template = cloudformation.load(BUILD / "template.yaml")
    template["Parameters"]["Architecture"]["Default"] = architecture()
    for logical_id, environment in deployed_environments(place.stack).items():
        properties = template["Resources"][logical_id]["Properties"]
        properties["Environment"] = {"Variables": container_environment(environment, place)}
    # Beside the code that it names.
    path = BUILD / "sam-local.yaml"
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return path


def deployed_environments(running: Stack) -> dict[str, dict[str, str]]:
    """Logical id of each function → its environment as it was deployed."""
    resources = running.client("cloudformation").describe_stack_resources(StackName=stack.STACK)
    names = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in resources["StackResources"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    functions = running.client("lambda")
    found = {}
    for logical_id, name in names.items():
        configuration = functions.get_function_configuration(FunctionName=name)
        found[logical_id] = configuration["Environment"]["Variables"]
    return found


def container_environment(deployed: Mapping[str, str], place: Place) -> dict[str, str]:
    """`deployed` as a container needs it: other addresses, and the worker that sam runs."""
    changed = {
        **deployed,
        **stack.CREDENTIALS,
        "AWS_ENDPOINT_URL": place.stack.emulator_url,
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{place.lambda_port}",
    }
    if "WORKER_FUNCTION" in deployed:
        changed["WORKER_FUNCTION"] = "WorkerFunction"
    for name in ("PUBLIC_URL", "WEBHOOK_URL"):
        if name in deployed:
            changed[name] = deployed[name].replace(place.stack.api_url, place.api_url)
    changed = {name: place.inside(value) for name, value in changed.items()}
    if "BUCKET_NAME" in deployed and "LINK_SECRET" in deployed:
        # The reader: it only signs addresses, and they are for whoever asks from outside.
        changed |= {"AWS_ENDPOINT_URL_S3": place.stack.emulator_url, "PUBLIC_URL": place.api_url}
    return changed


def sam_environment() -> dict[str, str]:
    """Without credentials: with any, sam asks AWS five times whose they are, and waits for the answers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_DEFAULT_REGION": stack.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "TMPDIR": str(TEMPORARY),
    }


# ---- sam local invoke -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Invoked:
    """One function, invoked once."""

    function: str
    answer: Answer
    seconds: float

    @property
    def body(self) -> Answer:
        """What an HTTP function answers, or the answer itself."""
        found: Answer = json.loads(self.answer["body"]) if "body" in self.answer else self.answer
        return found

    def expect(self, *, http: int | None = None, **body: Any) -> Self:
        """Itself; raises Failed unless the answer has this HTTP status and these values in its body."""
        wrong = any(self.body.get(name) != value for name, value in body.items())
        if self.answer.get("statusCode") != http or wrong:
            raise Failed(f"{self.function} answered {json.dumps(self.answer)[:1000]}")
        return self

    def line(self) -> str:
        """For the terminal."""
        told = " ".join(f"{name}={value}" for name, value in self.body.items() if name in SHOWN)
        return f"  {self.function:18} {self.answer.get('statusCode', 'ok')!s:3} {self.seconds:5.1f} s  {told}"


def invoke_all(place: Place, template: Path) -> Iterator[Invoked]:
    """Every function with its event, in the order in which a case meets them; raises Failed."""
    running = place.stack
    # The case of the events is for the worker that is invoked here, not for the emulator's.
    workers = running.client("lambda")
    workers.put_function_concurrency(FunctionName=running.worker, ReservedConcurrentExecutions=0)

    def invoke(function: str, event: Event) -> Invoked:
        return sam_invoke(template, function, event)

    yield invoke("AuthorizerFunction", authorizer_event(running)).expect(isAuthorized=True)
    accepted = invoke("InitiatorFunction", sample("initiator")).expect(http=202)
    yield accepted
    order = worker_event(accepted.body["jobId"], place)
    yield invoke("WorkerFunction", order).expect(status="completed")
    yield invoke("ReaderFunction", sample("reader")).expect(http=200, status="completed")
    yield invoke("WebhookFunction", webhook_event(running)).expect(http=200)
    yield invoke("SweeperFunction", sample("sweeper")).expect(failed={})
    yield invoke("ObserverFunction", sample("observer")).expect(batchItemFailures=[])


def sam_invoke(template: Path, function: str, event: Event) -> Invoked:
    """`function` invoked with `event`; raises Failed when it failed, which sam's exit code does not tell."""
    started = time.monotonic()
    command = [SAM, "local", "invoke", function, "-t", str(template), "-e", "-", "--skip-pull-image"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(event),  # not by a file: it may hold a token
            capture_output=True,
            text=True,
            env=sam_environment(),
            check=False,
            timeout=INVOKE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"sam local invoke {function} did not end within {INVOKE_S} s") from error
    (WORK / f"{function}.log").write_text(done.stderr)
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise Failed(f"sam local invoke {function}:\n{done.stderr[-2000:]}") from error
    if not isinstance(answer, dict) or "errorMessage" in answer:
        raise Failed(f"{function} failed: {answer}\n{done.stderr[-2000:]}")
    return Invoked(function=function, answer=answer, seconds=time.monotonic() - started)


def sample(name: str) -> Event:
    """The event of a function in `events/`."""
    found: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def worker_event(job_id: str, place: Place) -> Event:
    """The sample, for the job that the initiator made of its own sample: they are of the same case."""
    webhook_url = place.inside(place.stack.api_url) + WEBHOOK_PATH
    return sample("worker") | {"jobId": job_id, "webhookUrl": webhook_url}


def authorizer_event(running: Stack) -> Event:
    """The sample, from a caller that the stack knows."""
    authorization = f"Bearer {running.token}"
    known = sample("authorizer")
    headers = known["headers"] | {"authorization": authorization}
    return known | {"headers": headers, "identitySource": [authorization]}


def webhook_event(running: Stack) -> Event:
    """The sample, for a job of its own that no worker has claimed, signed now."""
    found = sample("webhook")
    with client(running.api_url, running.token) as api:
        job = api.submit(Case.model_validate(json.loads(sample("initiator")["body"]) | {"caseId": "case-43"}))
    body = json.dumps(json.loads(found["body"]) | {"caseId": job.case_id, "jobId": job.job_id})
    signed = standard_webhooks.sign(
        running.webhook_secret,
        message_id=found["headers"]["webhook-id"],
        timestamp_s=int(time.time()),
        body=body.encode(),
    )
    return found | {"headers": found["headers"] | signed, "body": body}


# ---- sam local start-api and start-lambda -----------------------------------------------------------


@contextmanager
def sam_serving(command: str, template: Path, port: int) -> Iterator[None]:
    """`sam local start-...` on a port of loopback, as long as the block runs; raises Failed."""
    log = WORK / f"{command}.log"
    arguments = [SAM, "local", command, "-t", str(template), "--host", "127.0.0.1", "--port", str(port)]
    if command == "start-api":
        arguments += ["--warm-containers", "LAZY"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*arguments, "--skip-pull-image"],
            stdout=output,
            stderr=output,
            env=sam_environment(),
            start_new_session=True,  # Ctrl-C is for us; it removes its containers when it is told to end
        )
    try:
        _await_port(process, port, command, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, command: str, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Failed(f"sam local {command} does not listen:\n{log.read_text()[-2000:]}")


# ---- Everything -------------------------------------------------------------------------------------


def run(console: Console) -> None:
    """Both parts; raises Missing, Failed, DarkroomError."""
    engine = find_engine()
    console.print(f"{engine} answers; functions run in {image()}", highlight=False)
    address = address_for_containers(engine)
    # sam locks the building of images by files there; one left by an interrupted run would make it wait.
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir(parents=True)
    with ExitStack() as open_things:
        config = studio.Config(latency_median=2, latency_p95=4)
        log = WORK / "stack.log"
        running = open_things.enter_context(stack.running(studio_config=config, log=log))
        place = Place(
            address=address,
            stack=running,
            api_port=stack.free_port(),
            lambda_port=stack.free_port(),
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
            console.print(f"  The API is at {place.api_url}", highlight=False)
            job = develop(place.api_url, running.token, EVENTS / "case.json", WORK / "out", console)
        if job.status != "completed":
            raise Failed(f"the job ended {job.status}")


def main() -> int:
    """Exit code 0 only if everything worked."""
    console = Console()
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
