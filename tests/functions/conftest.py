"""Fixtures: a deployment's functions, and a job with a picture."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws as clients

from testing.function_calls import a_job_with_a_picture
from testing.functions import Functions, deployment


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """Open a deployment for the test."""
    with deployment(monkeypatch.setenv) as made:
        yield made


@pytest.fixture
def throttled_lambda(functions: Functions) -> Iterator[Stubber]:
    """Let Lambda refuse every invocation of the worker."""
    with Stubber(clients.lambda_()) as stubber:
        stubber.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def job(functions: Functions) -> dict[str, Any]:
    """Submit the sample case; return its job when one picture is made."""
    return a_job_with_a_picture(functions)
