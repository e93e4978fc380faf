"""Fixtures of adapters that talk to AWS."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient


@pytest.fixture
def client() -> Iterator["BedrockRuntimeClient"]:
    """Yield a new Bedrock client for each test, because some tests leave handlers behind."""
    aws.bedrock.cache_clear()
    yield aws.bedrock("us-west-2", 2)
    aws.bedrock.cache_clear()


@pytest.fixture
def stub(client: "BedrockRuntimeClient") -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
