"""`make doctor`: check a deployment from outside, and say what is wrong and how to fix it.

`STACK=name` names a stack on AWS, which is read with your credentials. Without it, the stack of `make local`
is checked. Nothing is changed. `DRAW=1` also makes a real picture; you must confirm its price (or `YES=1`).
The exit code is 1 when something must be fixed, 2 when the stack cannot be read at all.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import boto3
import httpx
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from ops import draw
from ops.checks import CHECKS, Finding, Level
from ops.deployment import Deployment

type Check = Callable[[Deployment], Iterator[Finding]]

LOCAL = Path(__file__).resolve().parent.parent / ".local" / "stack.json"


def examine(deployment: Deployment, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Yield all findings; a check that cannot run is a finding too."""
    for check in checks:
        try:
            yield from check(deployment)
        except (BotoCoreError, ClientError, httpx.HTTPError, KeyError, ValueError) as error:
            fix = "your credentials must be allowed to read the stack and its secrets"
            yield Finding(
                Level.FAIL,
                getattr(check, "__name__", "picture"),
                f"the check failed: {in_short(error)}",
                fix,
            )


def in_short(error: Exception) -> str:
    """Return the error in one line: the code of an AWS error, the first line of any other."""
    if isinstance(error, ClientError):
        return f"AWS returned {error.response['Error']['Code']}"
    return next(iter(str(error).splitlines()), type(error).__name__)


def obstacle(deployment: Deployment) -> str | None:
    """Return why the stack cannot be read at all, and what to do, in one line; None when it can."""
    try:
        deployment.outputs  # noqa: B018 - read once and kept
    except (BotoCoreError, ClientError) as error:
        fix = next((fix for kind, fix in _FIXES.items() if isinstance(error, kind)), "")
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ValidationError":
            fix = "no such stack in this account and region: see `aws cloudformation list-stacks`"
        return f"The stack {deployment.name} cannot be read: {fix or in_short(error)}"
    return None


_FIXES: dict[type[Exception], str] = {
    NoRegionError: "no AWS region is set; set AWS_REGION, or run `aws configure`",
    NoCredentialsError: "there are no AWS credentials; run `aws sso login`, or set AWS_PROFILE",
    PartialCredentialsError: "the AWS credentials are incomplete; run `aws configure`",
    EndpointConnectionError: "no connection; check region and network, or start `make local` again",
}


def deployed(name: str | None, http: httpx.Client) -> Deployment:
    """Return the stack called `name`, or the local one; raise FileNotFoundError when none is running."""
    if name:
        # The AWS command and SAM read AWS_REGION; boto3 by itself reads only AWS_DEFAULT_REGION.
        return Deployment(name, partial(boto3.client, region_name=os.environ.get("AWS_REGION")), http)
    url = json.loads(LOCAL.read_text())["emulatorUrl"]
    session = boto3.Session("local", "local", region_name="us-east-1")
    return Deployment("darkroom", partial(session.client, endpoint_url=url), http)


def main() -> int:
    """Print each finding, and below it the fix; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--stack", default="", help="name of the stack; empty means the stack of `make local`"
    )
    parser.add_argument("--draw", action="store_true", help="make one real picture, which costs money")
    parser.add_argument("--yes", action="store_true", help="confirm the price of the picture")
    arguments = parser.parse_args()
    checks: list[Check] = list(CHECKS)
    if arguments.draw:
        transport = None if arguments.stack else httpx.AsyncHTTPTransport()  # without a proxy
        checks.append(
            partial(draw.draw, confirm=partial(draw.confirm, yes=arguments.yes), transport=transport)
        )
    worst = 0
    with httpx.Client(timeout=20, trust_env=bool(arguments.stack)) as http:
        try:
            deployment = deployed(arguments.stack or None, http)
        except FileNotFoundError:
            print("No local stack is running: start one with `make local`, or name one with STACK=...")
            return 2
        if problem := obstacle(deployment):
            print(problem)
            return 2
        for finding in examine(deployment, checks):
            print(f"{finding.level:5} {finding.subject:22} {finding.found}")
            if finding.level is not Level.OK and finding.fix:
                print(f"{'':28} → {finding.fix}")
            worst |= finding.level is Level.FAIL
    return worst


if __name__ == "__main__":
    sys.exit(main())
