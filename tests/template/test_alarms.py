"""Alarms and the dashboard watch metrics that are emitted, and operators are notified."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from darkroom import cloudwatch

from local import package
from testing.template import FUNCTIONS, RESOURCES, name_of

ALARMS = {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
QUEUES = [name for name, r in RESOURCES.items() if r["Type"] == "AWS::SQS::Queue"]
CONSUMED = {
    name_of(r["Properties"]["EventSourceArn"]).partition(".")[0]
    for r in RESOURCES.values()
    if r["Type"] == "AWS::Lambda::EventSourceMapping"
}
RELEASED = [name for name, r in RESOURCES.items() if "AutoPublishAlias" in r.get("Properties", {})]
WIDGETS = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])["widgets"]
DRAWN = [metric for widget in WIDGETS for metric in widget["properties"]["metrics"]]
OURS = "Darkroom/${AWS::StackName}"
AWS_METRICS = {
    "AWS/Lambda": {
        *("Errors", "Duration", "Throttles", "Invocations", "ConcurrentExecutions"),
        "RecursiveInvocationsDropped",
    },
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    "AWS/ApiGateway": {"Count", "4xx", "5xx"},
}


def watched(alarm: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """Return the namespace, name and service of each metric of an alarm."""
    for part in [m["MetricStat"]["Metric"] for m in alarm.get("Metrics", []) if "MetricStat" in m] or [alarm]:
        dimensions = {d["Name"]: d["Value"] for d in part.get("Dimensions", [])}
        yield name_of(part["Namespace"]), part["MetricName"], dimensions.get("service")


def check_emitted(namespace: str, name: str, service: str | None) -> None:
    if namespace == OURS:
        assert service is not None
        assert name in cloudwatch.EMITTERS[service], name
    else:
        assert name in AWS_METRICS[namespace], name


def emits(function: str) -> bool:
    """Return True if a handler calls `cloudwatch.emit`; check that it does so under its own name."""
    tree = ast.parse((package.FUNCTIONS / function / "app.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    services = [call.args[0] for call in calls if ast.unparse(call.func) == "cloudwatch.emit"]
    assert all(ast.literal_eval(service) == function for service in services)
    return bool(services)


def test_the_emitters_are_the_functions_whose_handlers_emit_metrics() -> None:
    assert cloudwatch.EMITTERS.keys() == {function for function in FUNCTIONS if emits(function)}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_emitted_metrics(name: str) -> None:
    for metric in watched(ALARMS[name]):
        check_emitted(*metric)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_operators_when_it_begins_and_when_it_ends(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert len(ALARMS[name]["AlarmDescription"]) > 30


def test_the_operators_guide_explains_every_alarm_and_no_other() -> None:
    guide = (package.ROOT / "docs/guides/operations.md").read_text()
    assert set(re.findall(r"^\| `(\w+Alarm)` \|", guide, re.MULTILINE)) == ALARMS.keys()


def test_there_is_an_alarm_for_each_kind_of_trouble() -> None:
    found = {name for alarm in ALARMS.values() for _, name, _ in watched(alarm)}
    assert found >= {
        *("ImagesFailed", "StuckJobs", "WebhookFailures", "ApproximateNumberOfMessagesVisible"),
        *("Errors", "Duration", "Throttles", "CostUsd", "Invocations", "5xx"),
        *("WorkersLost", "EventsDropped", "RecursiveInvocationsDropped"),
    }


@pytest.mark.parametrize("queue", QUEUES)
def test_each_queue_has_an_alarm(queue: str) -> None:
    [dimension] = ALARMS[f"{queue}Alarm"]["Dimensions"]
    assert name_of(dimension["Value"]) == f"{queue}.QueueName"


@pytest.mark.parametrize("queue", sorted(set(QUEUES) - CONSUMED))
def test_the_first_message_in_a_queue_that_nobody_consumes_raises_an_alarm(queue: str) -> None:
    alarm = ALARMS[f"{queue}Alarm"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


@pytest.mark.parametrize("queue", sorted(CONSUMED & set(QUEUES)))
def test_a_queue_that_is_not_consumed_any_more_raises_an_alarm(queue: str) -> None:
    assert ALARMS[f"{queue}Alarm"]["MetricName"] == "ApproximateAgeOfOldestMessage"


def test_missing_data_raises_only_the_alarm_of_the_sweeper() -> None:
    silent = {name for name, alarm in ALARMS.items() if alarm["TreatMissingData"] == "breaching"}
    assert silent == {"SweeperAlarm"}


@pytest.mark.parametrize("function", RELEASED)
def test_errors_of_the_new_version_alone_undo_a_release(function: str) -> None:
    preference = RESOURCES[function]["Properties"]["DeploymentPreference"]
    condition, [alarm], none = preference["Alarms"]["Fn::If"]
    assert (condition, none) == ("HasReleaseAlarms", [])
    found = ALARMS[alarm["Ref"]]
    assert (found["Namespace"], found["MetricName"]) == ("AWS/Lambda", "Errors")
    assert {d["Name"]: d["Value"] for d in found["Dimensions"]} == {
        "FunctionName": {"Ref": function},
        "Resource": {"Fn::Sub": f"${{{function}}}:live"},
        "ExecutedVersion": {"Fn::GetAtt": [function, "Version.Version"]},
    }
    assert found["TreatMissingData"] == "notBreaching"


def test_the_dashboard_draws_only_emitted_metrics() -> None:
    for namespace, name, *rest in DRAWN:
        check_emitted(namespace, name, rest[1] if namespace == OURS else None)


def test_the_dashboard_draws_every_metric_from_every_function_that_emits_it() -> None:
    drawn = {(metric[3], metric[1]) for metric in DRAWN if metric[0] == OURS}
    assert drawn == {(service, str(m)) for service, metrics in cloudwatch.EMITTERS.items() for m in metrics}


def test_the_dashboard_draws_the_errors_of_every_function() -> None:
    errors = [metric[3] for metric in DRAWN if metric[:2] == ["AWS/Lambda", "Errors"]]
    assert sorted(errors) == sorted(f"${{{name.capitalize()}Function}}" for name in FUNCTIONS)


def test_the_dashboards_widgets_fit_its_width() -> None:
    assert all(widget["x"] + widget["width"] <= 24 for widget in WIDGETS)
