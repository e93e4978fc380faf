"""Alarms and the dashboard watch what is really emitted, and somebody is told."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from darkroom import cloudwatch

from local import cloudformation, package

RESOURCES = cloudformation.load(package.ROOT / "template.yaml")["Resources"]
ALARMS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
OURS = "Darkroom/${AWS::StackName}"
AWS_METRICS = {
    "AWS/Lambda": {"Errors", "Duration", "Throttles", "Invocations", "ConcurrentExecutions"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
    "AWS/ApiGateway": {"Count", "4xx", "5xx"},
}


def watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Namespace, name and service of each metric of an alarm."""
    for part in [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m] or [alarm]:
        namespace = part["Namespace"]
        if isinstance(namespace, dict):
            namespace = namespace["Fn::Sub"]
        service = next((d["Value"] for d in part.get("Dimensions", []) if d["Name"] == "service"), None)
        yield namespace, part["MetricName"], service


def check(namespace: str, name: str, service: str | None) -> None:
    if namespace == OURS:
        assert service is not None
        assert name in cloudwatch.EMITTERS[service], name
    else:
        assert name in AWS_METRICS[namespace], name


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_somebody_and_watches_what_is_emitted(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert len(alarm["AlarmDescription"]) > 30
    for metric in watched(alarm):
        check(*metric)


def test_there_is_an_alarm_for_each_kind_of_trouble() -> None:
    found = {name for alarm in ALARMS.values() for _, name, _ in watched(alarm)}
    assert found >= {
        *("ImagesFailed", "StuckJobs", "WebhookFailures", "ApproximateNumberOfMessagesVisible"),
        *("Errors", "Duration", "Throttles", "CostUsd", "Invocations", "5xx"),
    }


def test_only_a_missing_sweeper_is_an_alarm_by_silence() -> None:
    silent = {name for name, alarm in ALARMS.items() if alarm["TreatMissingData"] == "breaching"}
    assert silent == {"SweeperAlarm"}


def test_the_dashboard_draws_every_metric_of_ours_and_only_what_exists() -> None:
    body = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    drawn = set()
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= 24
        for namespace, name, *rest in widget["properties"]["metrics"]:
            service = rest[1] if namespace == OURS else None
            check(namespace, name, service)
            drawn.add(name)
    assert drawn >= {metric.value for metric in cloudwatch.Metric}


RELEASED = [name for name, r in RESOURCES.items() if "AutoPublishAlias" in r.get("Properties", {})]


@pytest.mark.parametrize("function", RELEASED)
def test_a_release_is_taken_back_for_errors_of_the_new_version_alone(function: str) -> None:
    preference = RESOURCES[function]["Properties"]["DeploymentPreference"]
    condition, [alarm], none = preference["Alarms"]["Fn::If"]
    assert (condition, none) == ("HasReleaseAlarms", [])
    watched = ALARMS[alarm["Ref"]]
    assert (watched["Namespace"], watched["MetricName"]) == ("AWS/Lambda", "Errors")
    assert {d["Name"]: d["Value"] for d in watched["Dimensions"]} == {
        "FunctionName": {"Ref": function},
        "Resource": {"Fn::Sub": f"${{{function}}}:live"},
        "ExecutedVersion": {"Fn::GetAtt": [function, "Version.Version"]},
    }
    assert watched["TreatMissingData"] == "notBreaching"


def test_the_dashboard_shows_the_errors_of_every_function() -> None:
    body = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    metrics_drawn = [metric for widget in body["widgets"] for metric in widget["properties"]["metrics"]]
    errors = [metric[3] for metric in metrics_drawn if metric[:2] == ["AWS/Lambda", "Errors"]]
    functions = [name for name, r in RESOURCES.items() if r["Type"] == "AWS::Serverless::Function"]
    assert sorted(errors) == sorted(f"${{{name}}}" for name in functions)


@pytest.mark.parametrize("function", package.functions())
def test_no_tracing_sdk_is_on_the_way_to_a_warm_function(function: str) -> None:
    template = cloudformation.load(package.ROOT / "template.yaml")
    given = cloudformation.variables(template, f"{function.capitalize()}Function")
    code = f"import functions.{function}.app, sys; print([m for m in sys.modules if 'xray' in m.lower()])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"AWS_DEFAULT_REGION": "us-east-1", **given},
        cwd=package.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ALARMS)
def test_the_operators_are_told_what_to_do_about_an_alarm(name: str) -> None:
    assert f"| `{name}` |" in (package.ROOT / "docs/guides/operations.md").read_text()
