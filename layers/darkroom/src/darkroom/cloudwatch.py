"""The CloudWatch metrics of a deployment: their names, their units, and the functions that emit them.

`POWERTOOLS_METRICS_NAMESPACE` is the namespace; the template sets one for each stack. The dimension is the
function; lost workers are counted by their reason too.
"""

from collections.abc import Mapping
from enum import StrEnum

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from darkroom.domain.metrics import Count, Tally
from darkroom.domain.run import RunReport


class Metric(StrEnum):
    """A metric, by its name in CloudWatch."""

    IMAGES_REQUESTED = "ImagesRequested"
    IMAGES_COMPLETED = "ImagesCompleted"
    IMAGES_FAILED = "ImagesFailed"
    IMAGES_REFUSED = "ImagesRefused"
    RETRIES = "Retries"
    COST_USD = "CostUsd"
    WASTED_USD = "WastedUsd"
    GENERATION_TIME = "GenerationTime"
    WEBHOOK_LATENCY = "WebhookLatency"
    WEBHOOK_FAILURES = "WebhookFailures"
    THROTTLES = "Throttles"
    PROVIDER_FAULTS = "ProviderFaults"
    STUCK_JOBS = "StuckJobs"
    WORKERS_LOST = "WorkersLost"
    """Invocations of workers that failed. Counted alone, and by the `reason` that Lambda gave."""
    EVENTS_DROPPED = "EventsDropped"
    """Events that Lambda dropped before it started a worker."""


UNITS: Mapping[Metric, MetricUnit] = {
    Metric.COST_USD: MetricUnit.NoUnit,
    Metric.WASTED_USD: MetricUnit.NoUnit,
    Metric.GENERATION_TIME: MetricUnit.Seconds,
    Metric.WEBHOOK_LATENCY: MetricUnit.Milliseconds,
}
"""Units of the metrics. A metric that is not listed is a count."""

EMITTERS: Mapping[str, frozenset[Metric]] = {
    "observer": frozenset(
        {
            Metric.IMAGES_REQUESTED,
            Metric.IMAGES_COMPLETED,
            Metric.IMAGES_FAILED,
            Metric.IMAGES_REFUSED,
            Metric.RETRIES,
            Metric.COST_USD,
            Metric.WASTED_USD,
            Metric.GENERATION_TIME,
            Metric.WEBHOOK_LATENCY,
        }
    ),
    "worker": frozenset({Metric.THROTTLES, Metric.PROVIDER_FAULTS, Metric.WEBHOOK_FAILURES}),
    "sweeper": frozenset({Metric.STUCK_JOBS}),
    "recovery": frozenset({Metric.WORKERS_LOST, Metric.EVENTS_DROPPED}),
}
"""Metrics by the function that emits them. The observer counts jobs and pictures, as it sees every change."""

_COUNTS: Mapping[Count, Metric] = {
    Count.REQUESTED: Metric.IMAGES_REQUESTED,
    Count.COMPLETED: Metric.IMAGES_COMPLETED,
    Count.FAILED: Metric.IMAGES_FAILED,
    Count.REFUSED: Metric.IMAGES_REFUSED,
    Count.RETRIES: Metric.RETRIES,
}
_AMOUNTS: Mapping[Count, Metric] = {Count.COST: Metric.COST_USD, Count.WASTED: Metric.WASTED_USD}
"""Counts in millionths of a US dollar."""


def emit(function: str, values: Mapping[Metric, float], **dimensions: str) -> None:
    """Print one line in the embedded metric format; print nothing if `values` is empty.

    The metrics have the function as a dimension, and the given ones.
    """
    if not values:
        return
    sink = Metrics(service=function)
    for name, text in dimensions.items():
        sink.add_dimension(name=name, value=text)
    for metric, value in values.items():
        assert metric in EMITTERS[function], f"{function} does not emit {metric}"
        sink.add_metric(name=metric, unit=UNITS.get(metric, MetricUnit.Count), value=value)
    sink.flush_metrics()


def of_tally(tally: Tally) -> dict[Metric, float]:
    """Return the metrics of one change of a job."""
    values: dict[Metric, float] = {
        _COUNTS[count]: number for count, number in tally.counts.items() if count in _COUNTS
    }
    amounts = {_AMOUNTS[count]: micro for count, micro in tally.counts.items() if count in _AMOUNTS}
    values |= {metric: micro / 1_000_000 for metric, micro in amounts.items()}
    if tally.generation is not None:
        values[Metric.GENERATION_TIME] = tally.generation / 1000
    if tally.webhook is not None:
        values[Metric.WEBHOOK_LATENCY] = tally.webhook
    return values


def of_run(report: RunReport) -> dict[Metric, float]:
    """Return the metrics that only the worker can count."""
    return {
        Metric.THROTTLES: report.throttles,
        Metric.PROVIDER_FAULTS: report.operator_faults,
        Metric.WEBHOOK_FAILURES: report.undelivered,
    }
