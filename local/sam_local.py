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
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from darkroom.adapters import standard_webhooks
from rich.console import Console

from local import cloudformation, package, stack, studio
from local.case_client import CaseClient, Refused
from local.develop import develop
from local.forward import forwarding
from local.stack import Stack
from local.terminal import ended_by_signal

type Event = dict[str, Any]
type Answer = dict[str, Any]

BUILD = package.ROOT / ".local" / "build"
WORK = package.ROOT / ".local" / "sam"
EVENTS = package.ROOT / "events"
SAM = os.environ.get("SAM_BIN", str(package.ROOT / ".tools" / "sam" / "bin" / "sam"))
START_S = 120
"""Seconds that sam may take to listen; it pulls the image of the runtime the first time."""


class Missing(Exception):
    """Something this machine lacks; the message says what, and what to do."""


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


# ---- What the machine has ---------------------------------------------------------------------------


def find_engine() -> str:
    """The command of a container engine that answers; raises Missing."""
    installed = [name for name in ("docker", "podman", "finch") if shutil.which(name)]
    said = {name: _run([name, "info"], seconds=20) for name in installed}
    for name, answer in said.items():
        if answer.returncode == 0:
            return name
    if not installed:
        raise Missing("no container engine: install Docker (or podman, finch) and start it")
    reasons = [f"{n}: {(a.stderr or a.stdout).strip().splitlines()[-1:]}" for n, a in said.items()]
    raise Missing(f"no container engine answers: start it ({'; '.join(reasons)})")


def image() -> str:
    """The image of the runtime in which sam starts the functions of the build."""
    template = cloudformation.load(BUILD / "template.yaml")
    runtime = template["Globals"]["Function"]["Runtime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{runtime}-{architecture()}"


def architecture() -> str:
    """Of this machine's processor, in Lambda's words."""
    return "x86_64" if os.uname().machine == "x86_64" else "arm64"


def address_for_containers(engine: str) -> str:
    """An IP address at which containers reach this machine: the engine knows; raises Missing."""
    if given := os.environ.get("SAM_LOCAL_HOST"):
        return given
    name = "host.docker.internal"
    say = f"import socket; print(socket.gethostbyname('{name}'))"
    answer = _in_container(engine, say, f"--add-host={name}:host-gateway")
    return answer.stdout.strip().splitlines()[-1]


def check_reachable(engine: str, address: str, port: int) -> None:
    """Raise Missing unless a container reaches `port`."""
    say = f"import socket; socket.create_connection(('{address}', {port}), 5)"
    try:
        _in_container(engine, say)
    except Missing as missing:
        raise Missing(
            f"containers do not reach this machine at {address} (a firewall?);"
            " SAM_LOCAL_HOST=<address> names another one"
        ) from missing


def _in_container(engine: str, python: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [engine, "run", "--rm", *options, "--entrypoint", "python3", image(), "-c", python]
    answer = _run(command, seconds=600)  # the image may have to be pulled
    if answer.returncode != 0:
        lines = answer.stderr.strip().splitlines()
        raise Missing(f"{engine} cannot run {image()}: {lines[-1] if lines else 'it says nothing'}")
    return answer


def _run(command: list[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


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
        # Telemetry is no part of this.
        "POWERTOOLS_TRACE_DISABLED": "true",
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
    }


# ---- sam local invoke -------------------------------------------------------------------------------


def invoke_all(place: Place, template: Path, console: Console) -> None:
    """Every function with its event, in the order in which a case meets them; raises Failed."""
    running = place.stack
    # The case of the events is for the worker that is invoked here.
    running.client("lambda").put_function_concurrency(
        FunctionName=running.worker, ReservedConcurrentExecutions=0
    )

    def invoke(function: str, event: Event, good: Callable[[Answer], object], shown: str) -> Answer:
        started = time.monotonic()
        answer = sam_invoke(template, function, event)
        if not good(answer):
            raise Failed(f"{function} answered {json.dumps(answer)[:1000]}")
        body = json.loads(answer["body"]) if "body" in answer else answer
        told = {key: body[key] for key in shown.split() if key in body}
        status = answer.get("statusCode", "")
        seconds = time.monotonic() - started
        line = f"  {function:18} {status!s:3} {json.dumps(told)}  {seconds:.1f} s"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        return body

    def with_status(number: int) -> Callable[[Answer], object]:
        return lambda answer: answer.get("statusCode") == number

    known = invoke("AuthorizerFunction", authorizer_event(running), lambda a: a["isAuthorized"], "isAuthorized")
    assert known
    job = invoke("InitiatorFunction", event("initiator"), with_status(202), "caseId status totalImages")
    order = event("worker") | {
        "jobId": job["jobId"],
        "webhookUrl": place.inside(running.api_url) + "/api/webhook/image-progress",
    }
    invoke("WorkerFunction", order, lambda a: a["status"] == "completed", "status completedImages duration")
    invoke("ReaderFunction", event("reader"), with_status(200), "status completedImages costUsd")
    snapshot = webhook_event(running)
    invoke("WebhookFunction", snapshot, with_status(200), "ok received")
    invoke("SweeperFunction", event("sweeper"), lambda a: not a["failed"], "swept rearmed ended stuck failed")
    counted = invoke("ObserverFunction", event("observer"), lambda a: a["batchItemFailures"] == [], "batchItemFailures")
    assert counted is not None


def sam_invoke(template: Path, function: str, event: Event) -> Answer:
    """What `function` answers to `event`; raises Failed when it failed, which sam itself does not tell."""
    path = WORK / f"{function}.json"
    path.write_text(json.dumps(event))
    command = [SAM, "local", "invoke", function, "-t", str(template), "-e", str(path), "--skip-pull-image"]
    done = subprocess.run(command, capture_output=True, text=True, env=sam_environment(), check=False)
    (WORK / f"{function}.log").write_text(done.stderr)
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise Failed(f"sam local invoke {function}:\n{done.stderr[-2000:]}") from error
    if not isinstance(answer, dict) or "errorMessage" in answer:
        raise Failed(f"{function}: {answer}\n{done.stderr[-2000:]}")
    return answer


def event(name: str) -> Event:
    """The sample event of a function."""
    found: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def authorizer_event(running: Stack) -> Event:
    """The sample, from a caller that the stack knows."""
    authorization = f"Bearer {running.token}"
    sample = event("authorizer")
    headers = sample["headers"] | {"authorization": authorization}
    return sample | {"headers": headers, "identitySource": [authorization]}


def webhook_event(running: Stack) -> Event:
    """The sample for a job of its own, which no worker has claimed, signed now."""
    sample = event("webhook")
    with CaseClient(running.api_url, running.token) as client:
        case = json.loads(event("initiator")["body"]) | {"caseId": "case-43"}
        job = client.submit(case)
    body = json.loads(sample["body"]) | {"caseId": job["caseId"], "jobId": job["jobId"]}
    text = json.dumps(body)
    signed = standard_webhooks.sign(
        running.webhook_secret,
        message_id=sample["headers"]["webhook-id"],
        timestamp_s=int(time.time()),
        body=text.encode(),
    )
    return sample | {"headers": sample["headers"] | signed, "body": text}


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
    """Both parts; raises Missing, Failed or Refused."""
    engine = find_engine()
    console.print(f"{engine} answers; functions run in {image()}", highlight=False)
    address = address_for_containers(engine)
    WORK.mkdir(parents=True, exist_ok=True)
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
        open_things.callback(template.unlink)  # it names no secret, but nobody needs it any more

        console.print("sam local invoke, each function with its event:")
        invoke_all(place, template, console)

        console.print("\nsam local start-api and start-lambda, a whole case:")
        with (
            sam_serving("start-lambda", template, place.lambda_port),
            sam_serving("start-api", template, place.api_port),
        ):
            console.print(f"  The API is at {place.api_url}", highlight=False)
            job = develop(place.api_url, running.token, EVENTS / "case.json", WORK / "out", console)
        if job["status"] != "completed":
            raise Failed(f"the job ended {job['status']}")


def main() -> int:
    """Exit code 0 if everything worked, 1 if something failed, 2 if something is missing here."""
    console = Console()
    try:
        with ended_by_signal():
            run(console)
    except Missing as missing:
        console.print(f"sam-local cannot run here: {missing}", highlight=False, markup=False)
        return 2
    except (Failed, Refused) as failed:
        console.print(f"{failed}\nLogs: {WORK}", highlight=False, markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything was stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
