"""The AWS clients, one of each service, with short time-outs and few retries."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from darkroom.domain.errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# By default botocore waits 60 s and tries again, which is longer than a function may run. With these values
# all attempts, and the waits between them, end before the function's time-out
# (tests/template/test_timeouts.py).
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,
    signature_version="v4",
)
_BUSY = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionInProgressException",
}
"""Codes of DynamoDB for a lack of capacity: of requests, and of reasons to cancel a transaction.

TransactionInProgressException: botocore repeated a transaction whose first attempt timed out and still runs.
"""

_S3_CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def dynamodb() -> "DynamoDBClient":
    """Return the DynamoDB client. Its requests raise Busy when they may succeed later."""
    client = _session().client("dynamodb", config=_CONFIG)
    client.meta.events.register("after-call.dynamodb", _check_capacity)
    return client


def _check_capacity(parsed: Mapping[str, Any], **_: Any) -> None:
    """Raise Busy for a request that lacked capacity, or a transaction that was cancelled for nothing else.

    The client does this for every request, because each can be throttled.
    """
    code = parsed.get("Error", {}).get("Code")
    reasons = {reason.get("Code", "None") for reason in parsed.get("CancellationReasons", ())} - {"None"}
    if code in _BUSY or (reasons and reasons <= _BUSY):
        raise Busy("the table is busy; send the request again")


@cache
def lambda_() -> "LambdaClient":
    """Return the Lambda client."""
    return _session().client("lambda", config=_CONFIG)


@cache
def s3(attempts: int = 2) -> "S3Client":
    """Return the S3 client, which presigns with version 4. A worker has time for more `attempts`."""
    retries = Config(retries={"mode": "standard", "total_max_attempts": attempts})
    return _session().client("s3", config=_CONFIG.merge(_S3_CONFIG).merge(retries))


@cache
def secretsmanager() -> "SecretsManagerClient":
    """Return the Secrets Manager client."""
    return _session().client("secretsmanager", config=_CONFIG)


@cache
def sqs() -> "SQSClient":
    """Return the SQS client."""
    return _session().client("sqs", config=_CONFIG)


@cache
def bedrock(region: str, concurrency: int) -> "BedrockRuntimeClient":
    """Return a client for models that respond after up to 60 s.

    It makes one attempt, because the worker retries itself. A cancelled request holds its connection until it
    ends, so there are as many connections as `Bedrock` has threads.
    """
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=2 * concurrency,
    )
    return _session().client("bedrock-runtime", region_name=region, config=config)
