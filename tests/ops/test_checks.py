"""The doctor's checks of what no emulator has."""

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


class Patient(Deployment):
    """A deployment of which a test says what there is."""

    def __init__(self, name: str = "darkroom", **clients: Any) -> None:
        asked: list[tuple[str, str | None]] = []

        def client(service: str, region_name: str | None = None) -> Any:
            asked.append((service, region_name))
            return clients[service]

        super().__init__(name, client, httpx.Client())
        self.asked = asked
        self.given: dict[str, str] = {}

    worker = {"IMAGE_PROVIDER": "bedrock", "BEDROCK_REGION": "us-west-2", "BEDROCK_MODEL": MODEL}  # noqa: RUF012
    outputs = {"TableName": "jobs", "BucketName": "pictures"}  # noqa: RUF012

    @property
    def parameters(self) -> dict[str, str]:
        return self.given

    def of_type(self, kind: str) -> dict[str, str]:
        return {}


def bedrock(availability: dict[str, Any], lifecycle: str = "ACTIVE") -> tuple[Finding, Patient]:
    client = a_client("bedrock")
    with Stubber(client) as stubber:
        stubber.add_response("get_foundation_model_availability", availability, {"modelId": MODEL})
        details = {"modelArn": "a", "modelId": MODEL, "modelLifecycle": {"status": lifecycle}}
        stubber.add_response("get_foundation_model", {"modelDetails": details}, {"modelIdentifier": MODEL})
        patient = Patient(bedrock=client)
        [finding] = provider(patient)
    return finding, patient


def test_a_model_of_bedrock_that_the_account_has_is_right_and_asked_for_where_it_is() -> None:
    finding, patient = bedrock(OPEN)
    assert finding.level is Level.OK
    assert patient.asked == [("bedrock", "us-west-2")]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"agreementAvailability": {"status": "NOT_AVAILABLE"}}, "the agreement is NOT_AVAILABLE"),
        ({"authorizationStatus": "NOT_AUTHORIZED"}, "the authorization is NOT_AUTHORIZED"),
        ({"entitlementAvailability": "NOT_AVAILABLE"}, "the entitlement is NOT_AVAILABLE"),
        ({"regionAvailability": "NOT_AVAILABLE"}, "the region is NOT_AVAILABLE"),
    ],
)
def test_a_model_of_bedrock_that_the_account_never_subscribed_to_is_a_failure(
    change: dict[str, Any], says: str
) -> None:
    finding, _ = bedrock({**OPEN, **change})
    assert finding.level is Level.FAIL
    assert says in finding.seen
    assert "an administrator must call the model once in us-west-2" in finding.mend


def test_a_model_of_bedrock_that_is_to_be_switched_off_is_a_warning() -> None:
    finding, _ = bedrock(OPEN, "LEGACY")
    assert (finding.level, "BedrockModel" in finding.mend) == (Level.WARN, True)


class Table:
    """DynamoDB with one table that is right, but for its protection."""

    def describe_table(self, TableName: str) -> Any:  # noqa: N803
        return {
            "Table": {"TableStatus": "ACTIVE", "LatestStreamArn": "a", "DeletionProtectionEnabled": False}
        }

    def describe_continuous_backups(self, TableName: str) -> Any:  # noqa: N803
        status = {"PointInTimeRecoveryStatus": "ENABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": status}}

    def describe_time_to_live(self, TableName: str) -> Any:  # noqa: N803
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED"}}


class Bucket:
    """S3 with one bucket that is closed."""

    def get_public_access_block(self, Bucket: str) -> Any:  # noqa: N803
        return {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}


@pytest.mark.parametrize(("name", "level"), [("darkroom-prod", Level.FAIL), ("darkroom-dev", Level.WARN)])
def test_a_production_stack_that_is_not_protected_is_a_failure(name: str, level: Level) -> None:
    found = [f for f in storage(Patient(name, dynamodb=Table(), s3=Bucket())) if f.level is not Level.OK]
    assert [(f.level, "Stage=prod" in f.mend) for f in found] == [(level, True)]


def test_release_alarms_that_were_left_off_are_a_warning() -> None:
    clients: dict[str, Any] = {"lambda": None}
    patient = Patient(**clients)
    assert list(releases(patient)) == []
    patient.given = {"ReleaseAlarms": "false"}
    [finding] = releases(patient)
    assert (finding.level, finding.mend) == (Level.WARN, "deploy with ReleaseAlarms=true")
