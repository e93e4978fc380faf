"""`make doctor`: looks at a deployment from outside and says what is wrong and how to mend it.

`STACK=name` for one on AWS, with your credentials; otherwise the stack that `make local` keeps running.
It changes nothing. The exit code is 1 when something must be mended.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import boto3
import httpx
from botocore.exceptions import ClientError

from ops.checks import CHECKS, Finding, Level
from ops.deployment import Deployment

LOCAL = Path(__file__).resolve().parent.parent / ".local" / "stack.json"


def examine(deployment: Deployment) -> Iterator[Finding]:
    """All findings; a check that breaks is one itself."""
    for check in CHECKS:
        try:
            yield from check(deployment)
        except (ClientError, httpx.HTTPError, KeyError) as error:
            said = error.response["Error"]["Code"] if isinstance(error, ClientError) else repr(error)
            mend = "may you do this? the doctor needs to read the stack and its secrets"
            yield Finding(Level.FAIL, check.__name__, f"could not be looked at: {said}", mend)


def deployed(name: str | None, http: httpx.Client) -> Deployment:
    """The stack called `name`, or the local one; raises FileNotFoundError when none is running."""
    if name:
        return Deployment(name, partial(boto3.client), http)
    url = json.loads(LOCAL.read_text())["emulatorUrl"]
    session = boto3.Session("local", "local", region_name="us-east-1")
    return Deployment("darkroom", partial(session.client, endpoint_url=url), http)


def main() -> int:
    """One line a finding, its cure below it; 1 when one must be mended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="", help="the stack's name; empty for the one of `make local`")
    arguments = parser.parse_args()
    worst = 0
    with httpx.Client(timeout=20, trust_env=bool(arguments.stack)) as http:
        try:
            deployment = deployed(arguments.stack or None, http)
        except FileNotFoundError:
            print("No stack is running: start one with `make local`, or name one: STACK=darkroom make doctor")
            return 1
        for finding in examine(deployment):
            print(f"{finding.level:5} {finding.what:22} {finding.seen}")
            if finding.level is not Level.OK and finding.mend:
                print(f"{'':28} → {finding.mend}")
            worst |= finding.level is Level.FAIL
    return worst


if __name__ == "__main__":
    sys.exit(main())
