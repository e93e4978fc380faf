"""A deployment that cannot be read at all is reported in one line, not by a finding of each check."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    TokenRetrievalError,
)

from ops import doctor
from ops.checks import Level
from ops.deployment import Deployment


def unreadable(error: Exception) -> Deployment:
    def client(service: str) -> Any:
        raise error

    nobody = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(500)))
    return Deployment("darkroom", client, nobody)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "a long text"}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoRegionError(), "set AWS_REGION"),
        (NoCredentialsError(), "aws sso login"),
        (ProfileNotFound(profile="nope"), "nope"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), "expired"),
        (EndpointConnectionError(endpoint_url="https://x.example"), "check region and network"),
        (refused("ValidationError"), "no such stack"),
        (refused("ExpiredToken"), "AWS returned ExpiredToken"),
        (refused("AccessDenied"), "AWS returned AccessDenied"),
    ],
)
def test_an_unreadable_stack_is_reported_in_one_line_with_its_fix(error: Exception, expected: str) -> None:
    line = doctor.obstacle(unreadable(error))
    assert line is not None
    assert line.startswith("The stack darkroom cannot be read: ")
    assert expected in line
    assert "\n" not in line


def test_a_check_that_cannot_run_is_a_finding_of_one_line() -> None:
    found = list(doctor.examine(unreadable(ValueError("first line\nsecond line"))))
    assert {finding.level for finding in found} == {Level.FAIL}
    assert all(finding.found == "the check failed: first line" and finding.fix for finding in found)


def test_the_region_in_aws_region_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with httpx.Client() as http:
        assert doctor.deployed("darkroom", http).client("cloudformation").meta.region_name == "eu-west-1"
