"""Run SAM CLI for `make sam-local`: its template, its environment, its commands."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from local import cloudformation, package, stack
from local.container_engine import BUILD, architecture
from local.stack import Stack

type Event = dict[str, Any]
type Result = dict[str, Any]

WORK = package.ROOT / ".local" / "sam"
TEMPORARY = WORK / "tmp"
SAM = str(package.ROOT / ".tools" / "sam" / "bin" / "sam")
SHOWN = frozenset(
    {"isAuthorized", "caseId", "status", "completedImages", "totalImages", "duration", "costUsd", "state"}
    | {"rescheduled", "ended", "stuck", "failed", "batchItemFailures"}
)
"""The fields of a result that the terminal shows."""
INVOKE_S = 400
"""Time limit of one invocation in seconds: the worker's 300, and the start of its container."""
START_S = 120
"""Seconds within which sam must listen."""


class Failed(Exception):
    """An error: a function or sam failed. The message says which, and how."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The addresses at which containers reach what listens on this machine's loopback."""

    address: str
    stack: Stack
    api_port: int
    lambda_port: int
    receiver_port: int

    def inside(self, url: str) -> str:
        """Return a container's address of `url`, which is on this machine's loopback."""
        return url.replace("//127.0.0.1", f"//{self.address}")

    @property
    def api_url(self) -> str:
        """Return the address of `sam local start-api`, for containers."""
        return f"http://{self.address}:{self.api_port}"

    @property
    def lambda_url(self) -> str:
        """Return the address of `sam local start-lambda`, for containers."""
        return f"http://{self.address}:{self.lambda_port}"

    @property
    def receiver_url(self) -> str:
        """Return the address of a receiver of callbacks, for containers."""
        return f"http://{self.address}:{self.receiver_port}/hook"

    @property
    def ports(self) -> list[int]:
        """Return all ports that a container may call."""
        urls = [self.stack.emulator_url, self.stack.provider_url or ""]
        found = [urlsplit(url).port for url in urls]
        return [*(port for port in found if port), self.api_port, self.lambda_port, self.receiver_port]


# ---- The template and the environment ---------------------------------------------------------------


def functions(template: Mapping[str, Any]) -> list[str]:
    """Return the logical id of every function of a template."""
    resources = template["Resources"]
    return [name for name, found in resources.items() if found["Type"] == "AWS::Serverless::Function"]


def write_template(place: Place) -> Path:
    """Write the build's template, with the environment that each function needs on the local stack.

    `--env-vars` would not do: sam takes only variables that the template names, and it does not name the
    addresses of the emulator.
    """
    template = cloudformation.load(BUILD / "template.yaml")
    template["Parameters"]["Architecture"]["Default"] = architecture()
    names = deployed_functions(place.stack)
    lambda_ = place.stack.client("lambda")
    for logical_id in functions(template):
        configuration = lambda_.get_function_configuration(FunctionName=names[logical_id])
        given = container_environment(configuration["Environment"]["Variables"], names, place)
        template["Resources"][logical_id]["Properties"]["Environment"] = {"Variables": given}
    # In the folder of the code, because its paths are relative.
    path = BUILD / "sam-local.yaml"
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return path


def deployed_functions(running: Stack) -> dict[str, str]:
    """Return logical id → name of each function of the local stack."""
    pages = running.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack.STACK)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def container_environment(
    deployed: Mapping[str, str], names: Mapping[str, str], place: Place
) -> dict[str, str]:
    """Return a function's environment for its container.

    The same rules apply to every function and variable: addresses become those that containers reach, and a
    function's name becomes its logical id, which is its name for sam.
    """
    logical_ids = {name: logical_id for logical_id, name in names.items()}
    changed = {
        name: logical_ids.get(value) or value.replace(place.stack.api_url, place.api_url)
        for name, value in deployed.items()
    }
    endpoints = {"AWS_ENDPOINT_URL": place.stack.emulator_url, "AWS_ENDPOINT_URL_LAMBDA": place.lambda_url}
    given = {**changed, **stack.CREDENTIALS, **endpoints}
    return {name: place.inside(value) for name, value in given.items()}


def sam_environment() -> dict[str, str]:
    """Return sam's environment, without credentials: with them, sam calls AWS five times to identify them."""
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
    """One invocation of a function."""

    function: str
    result: Result
    seconds: float

    @property
    def body(self) -> Result:
        """Return the body of an HTTP function's response, or the result of another function."""
        found: Result = json.loads(self.result["body"]) if "body" in self.result else self.result
        return found

    def expect(self, *, http: int | None = None, **body: Any) -> Self:
        """Return itself; raise Failed unless the result has this HTTP status and these values in its body.

        Without `http`, any status below 400 is right, and so is a result without a status.
        """
        status = self.result.get("statusCode")
        wrong = status != http if http is not None else (status or 0) >= 400
        if wrong or any(self.body.get(name) != value for name, value in body.items()):
            raise Failed(f"{self.function} returned {json.dumps(self.result)[:1000]}")
        return self

    def line(self) -> str:
        """Return a line for the terminal."""
        shown = " ".join(f"{name}={value}" for name, value in self.body.items() if name in SHOWN)
        return (
            f"  {self.function:18} {self.result.get('statusCode', 'ok')!s:3} {self.seconds:5.1f} s  {shown}"
        )


def sam_invoke(template: Path, function: str, event: Event) -> Invoked:
    """Invoke `function` with `event`; raise Failed when it fails, which sam's exit code does not show."""
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
        result = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise Failed(f"sam local invoke {function}:\n{done.stderr[-2000:]}") from error
    if not isinstance(result, dict) or "errorMessage" in result:
        raise Failed(f"{function} failed: {result}\n{done.stderr[-2000:]}")
    return Invoked(function=function, result=result, seconds=time.monotonic() - started)


# ---- sam local start-api and start-lambda -----------------------------------------------------------


@contextmanager
def sam_serving(command: str, template: Path, port: int) -> Iterator[None]:
    """Run `sam local start-...` on a port of loopback while the block runs; raise Failed."""
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
            start_new_session=True,  # keeps Ctrl-C from it: on SIGTERM it removes its containers
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
