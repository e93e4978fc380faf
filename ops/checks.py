"""The checks of `make doctor`. Each yields what it found and how to fix what is wrong."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import httpx
from botocore.exceptions import ClientError
from darkroom.adapters.secrets import key_in
from darkroom.adapters.signing import standard_webhooks
from darkroom.adapters.signing.api_tokens import faults
from darkroom.api.app import WEBHOOK_PATH

from ops.deployment import Deployment

CASES_AT_ONCE = 10
"""Number of cases that a deployment should run at once. Each needs about four concurrent functions."""


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, what was found, how to fix it."""

    level: Level
    subject: str
    found: str
    fix: str = ""


def concurrency(deployment: Deployment) -> Iterator[Finding]:
    """Check that the account allows enough concurrent functions."""
    limits = deployment.client("lambda").get_account_settings()["AccountLimit"]
    limit = limits.get("UnreservedConcurrentExecutions") or limits["ConcurrentExecutions"]
    needed = 4 * CASES_AT_ONCE
    if limit >= needed:
        yield Finding(Level.OK, "concurrency", f"the account allows {limit} concurrent functions")
        return
    yield Finding(
        Level.WARN if limit >= 4 else Level.FAIL,
        "concurrency",
        f"the account allows only {limit} concurrent functions (10 in a new account): about"
        f" {limit // 4} cases at once",
        f'request at least {needed} in Service Quotas, AWS Lambda, "Concurrent executions"',
    )


def secrets(deployment: Deployment) -> Iterator[Finding]:
    """Check that each secret can be read and has the right format."""
    for name in sorted(deployment.of_type("AWS::SecretsManager::Secret")):
        try:
            problem = _FORMS[name](deployment.secret(name))
        except ClientError as error:
            problem = f"cannot be read: {error.response['Error']['Code']}"
        except ValueError as error:
            problem = str(error)
        fix = f"store a valid value in {deployment.resources[name][1]} (docs/guides/operations.md)"
        level = Level.FAIL if problem else Level.OK
        yield Finding(level, f"secret {name}", problem or "can be read and has the right format", fix)


def _webhook_form(value: str) -> str:
    try:
        standard_webhooks.sign(value, message_id="m", timestamp_s=0, body=b"")
    except ValueError as error:
        return str(error)
    return ""


def _tokens_form(value: str) -> str:
    return "; ".join(faults(value))


def _long_form(value: str) -> str:
    short = not value.split() or any(len(key) < 32 for key in value.split())
    return "each key must have at least 32 characters" if short else ""


def _key_form(value: str) -> str:
    return "no key is stored" if value in ("", "unset") else ""


_FORMS: dict[str, Callable[[str], str]] = {
    "WebhookSecret": _webhook_form,
    "ApiTokens": _tokens_form,
    "ShareSecret": _long_form,
    "LinkSecret": _long_form,
    "CallbackSecret": _long_form,
    "GeminiSecret": _key_form,
    "OpenAiSecret": _key_form,
}


def provider(deployment: Deployment) -> Iterator[Finding]:
    """Check that the provider accepts the key and has the model. The request is free of charge."""
    variables = deployment.worker
    name = variables["IMAGE_PROVIDER"]
    if "bedrock" in (name, variables.get("FALLBACK_PROVIDER")):
        yield from _bedrock(deployment, variables["BEDROCK_REGION"], variables["BEDROCK_MODEL"])
    if name == "bedrock":
        return
    prefix = {"gemini": "GEMINI", "openai": "OPENAI"}[name]
    model = variables[f"{prefix}_MODEL"]
    secret = key_in(deployment.secret_of(variables[f"{prefix}_SECRET"]))
    url, headers = (
        (f"{variables['GEMINI_URL']}/v1beta/models/{model}", {"x-goog-api-key": secret})
        if name == "gemini"
        else (f"https://api.openai.com/v1/models/{model}", {"authorization": f"Bearer {secret}"})
    )
    try:
        status = deployment.http.get(url, headers=headers).status_code
    except httpx.HTTPError as error:
        yield Finding(Level.FAIL, "provider", f"{name} cannot be reached: {type(error).__name__}", "")
        return
    fixes = {
        404: f"the model is retired or misspelt: set {name.capitalize()}Model to one that exists",
        400: "the key is wrong: store a valid one",
        401: "the key is wrong: store a valid one",
        403: "the key may not use this API: allow it at the provider, or store another key",
    }
    if status == httpx.codes.OK:
        yield Finding(Level.OK, "provider", f"{name} accepts the key and has the model {model}")
    else:
        level = Level.FAIL if status in fixes else Level.WARN
        yield Finding(
            level,
            "provider",
            f"{name} returned {status} for the model {model}",
            fixes.get(status, "try again later"),
        )


def _bedrock(deployment: Deployment, region: str, model: str) -> Iterator[Finding]:
    bedrock = deployment.client("bedrock", region_name=region)
    found = bedrock.get_foundation_model_availability(modelId=model)
    lacks = [
        f"{name} is {given}"
        for name, given, right in (
            ("the agreement", found["agreementAvailability"]["status"], "AVAILABLE"),
            ("the authorization", found["authorizationStatus"], "AUTHORIZED"),
            ("the entitlement", found["entitlementAvailability"], "AVAILABLE"),
            ("the region", found["regionAvailability"], "AVAILABLE"),
        )
        if given != right
    ]
    if lacks:
        fix = f"an administrator must call the model once in {region} (docs/guides/operations.md, Bedrock)"
        yield Finding(Level.FAIL, "provider", f"this account may not use {model}: {', '.join(lacks)}", fix)
        return
    details = bedrock.get_foundation_model(modelIdentifier=model)["modelDetails"]
    if details.get("modelLifecycle", {}).get("status") == "LEGACY":
        fix = "set BedrockModel to an active model before this one is switched off"
        yield Finding(Level.WARN, "provider", f"{model} is a legacy model of Bedrock", fix)
        return
    yield Finding(Level.OK, "provider", f"this account may use {model} in {region}")


def releases(deployment: Deployment) -> Iterator[Finding]:
    """Check that callers get the newest code and the newest settings."""
    functions = deployment.client("lambda")
    if deployment.parameters.get("ReleaseAlarms") == "false":
        fix = "deploy with ReleaseAlarms=true"
        yield Finding(Level.WARN, "release", "a new version that fails is not rolled back", fix)
    for alias in sorted(deployment.of_type("AWS::Lambda::Alias").values()):
        name, _, label = alias.rpartition(":")
        newest, served = (functions.get_function_configuration(FunctionName=n) for n in (name, alias))
        differs = [key for key in _RELEASED if newest.get(key) != served.get(key)]
        share = functions.get_alias(FunctionName=name, Name=label).get("RoutingConfig", {})
        subject, version = f"release {name.rpartition(':')[2]}", served["Version"]
        if share.get("AdditionalVersionWeights"):
            fix = "wait a few minutes: CodeDeploy shifts all calls to it, or rolls it back"
            found = f"part of the calls go to a new version, the others to {version}"
            yield Finding(Level.WARN, subject, found, fix)
        elif differs:
            found = f"callers get version {version}, but the newest code differs in: {', '.join(differs)}"
            yield Finding(Level.FAIL, subject, found, "run `sam build`, then `sam deploy`")
        else:
            yield Finding(Level.OK, subject, f"callers get version {version}, the newest")


_RELEASED = ("CodeSha256", "Layers", "Environment")


def webhook(deployment: Deployment) -> Iterator[Finding]:
    """Check that signed snapshots reach the webhook and unsigned ones are refused."""
    url = deployment.outputs["ApiUrl"] + WEBHOOK_PATH
    body = json.dumps(_SNAPSHOT).encode()
    signed = standard_webhooks.sign(
        deployment.secret("WebhookSecret"), message_id="doctor", timestamp_s=int(time.time()), body=body
    )
    for sent, headers, expected in (
        ("an unsigned snapshot", {}, 401),
        ("a signed snapshot of an unknown job", signed, 404),
    ):
        status = deployment.http.post(
            url, content=body, headers={"content-type": "application/json", **headers}
        ).status_code
        right = status == expected
        yield Finding(
            Level.OK if right else Level.FAIL,
            "webhook",
            f"{sent} gets {status}" + ("" if right else f" instead of {expected}"),
            ""
            if right
            else "read the logs of the webhook function; check that there is no proxy in front of the API",
        )


_SNAPSHOT = {
    "caseId": "doctor",
    "jobId": "0" * 32,
    "run": 1,
    "claim": "doctor",
    "sequence": 1,
    "kind": "claim",
    "status": "generating",
    "completedImages": 0,
    "totalImages": 1,
    "evidenceImages": {},
    "locationImages": {},
    "failedIds": [],
    "errors": {},
}


def callers(deployment: Deployment) -> Iterator[Finding]:
    """Check that the API refuses requests without a valid token."""
    url = deployment.outputs["ApiUrl"] + "/api/openapi.json"
    for sent, headers, expected in (
        ("without a token", {}, 401),
        ("with a made-up token", {"authorization": "Bearer " + "x" * 40}, 403),
    ):
        status = deployment.http.get(url, headers=headers).status_code
        level = Level.OK if status == expected else Level.FAIL
        fix = "" if status == expected else "the authorizer does not work: read its logs"
        yield Finding(level, "callers", f"a request {sent} gets {status}", fix)


def sweeper(deployment: Deployment) -> Iterator[Finding]:
    """Check that the sweeper is called every minute."""
    rules = deployment.of_type("AWS::Events::Rule").values()
    events = deployment.client("events")
    for rule in rules:
        found = events.describe_rule(Name=rule.rpartition("|")[2])
        enabled = found["State"] == "ENABLED"
        yield Finding(
            Level.OK if enabled else Level.FAIL,
            "sweeper",
            f"the schedule {found['ScheduleExpression']} is {found['State'].lower()}",
            "" if enabled else f"aws events enable-rule --name {rule}",
        )
    now = datetime.now(UTC)
    figures = deployment.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Dimensions=[{"Name": "FunctionName", "Value": deployment.outputs["SweeperName"]}],
        StartTime=now - timedelta(minutes=10),
        EndTime=now,
        Period=600,
        Statistics=["Sum"],
    )["Datapoints"]
    ticks = int(sum(point["Sum"] for point in figures))
    yield Finding(
        Level.OK if ticks else Level.WARN,
        "sweeper",
        f"ran {ticks} times in the last ten minutes"
        if ticks
        else "did not run in the last ten minutes, according to CloudWatch",
        "" if ticks else "normal right after a deploy and on the local stack; otherwise read its logs",
    )


def alarms(deployment: Deployment) -> Iterator[Finding]:
    """Check that alarms notify somebody."""
    names = list(deployment.of_type("AWS::CloudWatch::Alarm").values())
    found = list(deployment.all_pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=names))
    mute = [alarm["AlarmName"] for alarm in found if not alarm.get("AlarmActions")]
    raised = [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]
    yield Finding(
        Level.FAIL if mute or not found else Level.OK,
        "alarms",
        f"{len(found)} alarms, {len(mute)} without an action",
        "deploy the template again" if mute or not found else "",
    )
    if raised:
        yield Finding(
            Level.WARN,
            "alarms",
            f"in alarm now: {', '.join(raised)}",
            "see docs/guides/operations.md for each alarm",
        )
    topic = deployment.outputs["AlarmTopicArn"]
    subscribed = list(
        deployment.all_pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
    )
    pending = [one for one in subscribed if one["SubscriptionArn"] == "PendingConfirmation"]
    confirmed = len(subscribed) - len(pending)
    yield Finding(
        Level.OK if confirmed else Level.WARN,
        "alarms",
        f"{confirmed} confirmed subscriptions, {len(pending)} not confirmed",
        ""
        if confirmed
        else "deploy with AlarmEmail=you@example.com and follow the link in the e-mail that arrives",
    )


def storage(deployment: Deployment) -> Iterator[Finding]:
    """Check that the table and the bucket are as the template says."""
    database, table = deployment.client("dynamodb"), deployment.outputs["TableName"]
    described = database.describe_table(TableName=table)["Table"]
    backups = database.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    expiry = database.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"]
    for state, right in (
        ("is active", described["TableStatus"] == "ACTIVE"),
        ("has a stream", bool(described.get("LatestStreamArn"))),
        ("can be restored to any second", recovery == "ENABLED"),
        ("deletes expired items", expiry in ("ENABLED", "ENABLING")),
        ("is protected from deletion", bool(described.get("DeletionProtectionEnabled"))),
    ):
        fix = "deploy again, with Stage=prod for the protection; the local stack lacks some of these"
        level = Level.FAIL if deployment.name.endswith("-prod") else Level.WARN
        yield Finding(Level.OK if right else level, "table", state if right else f"missing: {state}", fix)
    public = None
    with suppress(ClientError):
        public = deployment.client("s3").get_public_access_block(Bucket=deployment.outputs["BucketName"])
    closed = public is not None and all(public["PublicAccessBlockConfiguration"].values())
    yield Finding(
        Level.OK if closed else Level.FAIL,
        "bucket",
        "blocks public access" if closed else "does not block public access",
        "deploy the template again",
    )


CHECKS = (concurrency, secrets, provider, releases, webhook, callers, sweeper, alarms, storage)
