"""Read the invocations of a local stack's functions and their billed time from the logs."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local.stack import Stack

_REPORT = re.compile(r"REPORT RequestId: .*Billed Duration: (?P<ms>\d+) ms")


@dataclass(frozen=True, kw_only=True)
class Invocations:
    """The invocations of all functions, by their name in lower case."""

    calls: Counter[str] = field(default_factory=Counter)
    billed: Counter[str] = field(default_factory=Counter)
    """Billed milliseconds."""
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Printed lines in JSON."""

    def messages(self, function: str, message: str) -> list[dict[str, Any]]:
        """Return the lines of `function` with this message."""
        return [line for line in self.lines.get(function, []) if line.get("message") == message]


def invocations(stack: Stack, since: int) -> Invocations:
    """Return all invocations since a time in epoch milliseconds."""
    found = Invocations()
    logs = stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        function = name.rpartition("/")[2].removesuffix("Logs").lower()
        for message in _messages(logs, name, since):
            if report := _REPORT.match(message):
                found.calls[function] += 1
                found.billed[function] += int(report["ms"])
            elif message.startswith("{"):
                found.lines.setdefault(function, []).append(json.loads(message))
    return found


def _messages(logs: Any, group: str, since: int) -> Iterator[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    for page in pages:
        for event in page["events"]:
            yield event["message"].strip()
