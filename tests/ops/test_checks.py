"""The doctor's checks of services that the emulator lacks."""

from typing import Any

import boto3
import httpx
import pytest
from botocore.stub import Stubber

from ops.checks import Finding, Level, provider, releases, storage
from ops.deployment import Deployment

MODEL = "stability.stable-image-core-v1:1"
OPEN = {
    "modelId": MODEL,
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}


def a_client(service: str) -> Any:
    return boto3.client(service, "us-west-2", aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]


class FakeDeployment(Deployment):
    """A deployment with the service clients and parameters that a test gives it."""

    def __init__(self, name: str = "darkroom", **clients: Any) -> None:
        opened: list[tuple[str, str | None]] = []

        def client(service: str, region_name: str | None = None) -> Any:
            opened.append((service, region_name))
            return clients[service]

        super().__init__(name, client, httpx.Client())
        self.opened = opened
        self.given: dict[str, str] = {}

    worker = {"IMAGE_PROVIDER": "bedrock", "BEDROCK_REGION": "us-west-2", "BEDROCK_MODEL": MODEL}  # noqa: RUF012
    outputs = {"TableName": "jobs", "BucketName": "pictures"}  # noqa: RUF012

    @property
    def parameters(self) -> dict[str, str]:
        return self.given

    def of_type(self, kind: str) -> dict[str, str]:
        return {}


def bedrock(availability: dict[str, Any], lifecycle: str = "ACTIVE") -> tuple[Finding, FakeDeployment]:
    client = a_client("bedrock")
    with Stubber(client) as stubber:
        stubber.add_response("get_foundation_model_availability", availability, {"modelId": MODEL})
        details = {"modelArn": "a", "modelId": MODEL, "modelLifecycle": {"status": lifecycle}}
        stubber.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": MODEL})
        deployment = FakeDeployment(bedrock=client)
        [finding] = provider(deployment)
    return finding, deployment


def test_a_bedrock_model_that_the_account_may_use_is_ok_and_is_checked_in_its_region() -> None:
    finding, deployment = bedrock(OPEN)
    assert finding.level is Level.OK
    assert deployment.opened == [("bedrock", "us-west-2")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "the agreement is NOT_AVAILABLE"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "the authorization is NOT_AUTHORIZED"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "the entitlement is NOT_AVAILABLE"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "the region is NOT_AVAILABLE"),
    ],
)
def test_a_bedrock_model_that_the_account_may_not_use_is_a_failure(
    change: dict[str, Any], expected: str
) -> None:
    finding, _ = bedrock({**OPEN, **change})
    assert finding.level is Level.FAIL
    assert expected in finding.found
    assert "an administrator must call the model once in us-west-2" in finding.fix


def test_a_legacy_model_of_bedrock_is_a_warning() -> None:
    finding, _ = bedrock(OPEN, "LEGACY")
    assert (finding.level, "BedrockModel" in finding.fix) == (Level.WARN, True)


class DynamoDB:
    """DynamoDB with one table that has everything but deletion protection."""

    def describe_table(self, TableName: str) -> Any:  # noqa: N803
        return {
            "Table": {"TableStatus": "ACTIVE", "LatestStreamArn": "a", "DeletionProtectionEnabled": False}
        }

    def describe_continuous_backups(self, TableName: str) -> Any:  # noqa: N803
        status = {"PointInTimeRecoveryStatus": "ENABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": status}}

    def describe_time_to_live(self, TableName: str) -> Any:  # noqa: N803
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED"}}


class S3:
    """S3 with one bucket that blocks public access."""

    def get_public_access_block(self, Bucket: str) -> Any:  # noqa: N803
        return {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}


@pytest.mark.parametrize(("name", "level"), [("darkroom-prod", Level.FAIL), ("darkroom-dev", Level.WARN)])
def test_a_missing_deletion_protection_is_a_failure_in_production_and_else_a_warning(
    name: str, level: Level
) -> None:
    deployment = FakeDeployment(name, dynamodb=DynamoDB(), s3=S3())
    found = [f for f in storage(deployment) if f.level is not Level.OK]
    assert [(f.level, "Stage=prod" in f.fix) for f in found] == [(level, True)]


def test_release_alarms_that_are_off_are_a_warning() -> None:
    clients: dict[str, Any] = {"lambda": None}
    deployment = FakeDeployment(**clients)
    assert list(releases(deployment)) == []
    deployment.given = {"ReleaseAlarms": "false"}
    [finding] = releases(deployment)
    assert (finding.level, finding.fix) == (Level.WARN, "deploy with ReleaseAlarms=true")
