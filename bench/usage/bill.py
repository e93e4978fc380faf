"""Compute the cost of a case's requests to AWS, by service, in US dollars."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from darkroom.cloudwatch import EMITTERS

from bench.usage import price_list as prices
from bench.usage.growth import Counted
from bench.usage.request_meter import (
    BYTES_OUT,
    INDEX,
    INVOCATIONS,
    LOG_BYTES,
    LOG_LINES,
    READ,
    REQUESTS,
    WRITE,
    Meter,
)
from bench.usage.surroundings import JPEG_BYTES
from local import cloudformation, package

WARM_MS = 150
"""Assumed duration of a warm call: 512 MB have 0.29 of a core, and a call makes a few requests."""
DELIVERY_MS = 400
"""Assumed duration of a delivery's attempt, which waits for the receiver."""
INIT_S = 1.5
"""Assumed duration of a cold start, which is billed too. Every function has one in each case."""
WORKER_MORE_S = 1.0
"""Assumed time of the worker besides waiting for pictures: claim, last encoding, last snapshot."""
LINE_BYTES, ACCESS_BYTES = 26, 330
"""Bytes that CloudWatch adds to every line, and bytes of a line in the gateway's access log."""
TABLE_MONTHS, BUCKET_MONTHS = 1, 3
"""Months for which KeepDays and KeepPicturesDays keep items and pictures."""
MONTH_H = 730
SWEEPS = MONTH_H * 60
WORKER = "Lambda, worker"

type Bill = Mapping[str, float]
"""Service → US dollars."""

TEMPLATE = cloudformation.load(package.ROOT / "template.yaml")
_RESOURCES = TEMPLATE["Resources"]


def memory_gb(function: str) -> float:
    """Return a function's memory in GB, from the template."""
    properties = _RESOURCES[f"{function.capitalize()}Function"]["Properties"]
    return float(properties.get("MemorySize", TEMPLATE["Globals"]["Function"]["MemorySize"])) / 1024


def of_case(counted: Counted, *, longer: float = 1.0) -> Bill:
    """Return the cost of one case. `longer` multiplies every assumed duration."""
    meter, bill = counted.meter, defaultdict[str, float](float)
    for label in sorted({function for function, _ in meter.counts} - {"client"}):
        name = label.partition(",")[0]
        calls = meter.total(INVOCATIONS, function=label)
        seconds = calls * longer * (DELIVERY_MS if name == "deliverer" else WARM_MS) / 1000
        if name == "worker":
            seconds = counted.ran_s + longer * WORKER_MORE_S
        if label != "reader, pictures":  # the same function as for polls
            seconds += longer * INIT_S
        service = WORKER if name == "worker" else "Lambda, the others"
        bill[service] += prices.COMPUTE.of(memory_gb(name) * seconds) + prices.INVOCATION.of(calls)
    requests, pictures = meter.total(REQUESTS), counted.shots * JPEG_BYTES
    bill["API Gateway"] = prices.API_REQUEST.of(requests)
    bill["DynamoDB, writes"] = prices.WRITE_UNIT.of(meter.total(WRITE, INDEX))
    bill["DynamoDB, reads"] = prices.READ_UNIT.of(meter.total(READ))
    month = prices.TABLE_MONTH.of(meter.stored()) + prices.PITR_MONTH.of(meter.stored())
    bill["DynamoDB, storage"] = TABLE_MONTHS * month
    bill["S3, requests"] = prices.PUT.of(meter.total("PutObject", "ListObjectsV2"))
    bill["S3, requests"] += prices.GET.of(meter.total("GetObject"))
    bill["S3, storage"] = BUCKET_MONTHS * prices.BUCKET_MONTH.of(pictures)
    bill["Secrets Manager"] = prices.SECRET_CALL.of(meter.total("GetSecretValue"))
    bill["CloudWatch, logs"] = prices.LOG.of(_logged(meter))
    bill["Data out"] = prices.DATA_OUT.of(meter.total(BYTES_OUT) + sum(meter.sizes["callback"]))
    return bill


def _logged(meter: Meter) -> float:
    lines = LINE_BYTES * (meter.total(LOG_LINES) + meter.total(REQUESTS))
    return meter.total(LOG_BYTES) + lines + ACCESS_BYTES * meter.total(REQUESTS)


def of_month(sweep: Meter, *, cases: bool) -> Bill:
    """Return the monthly cost of a deployment without its cases; `cases` is True if it has any."""
    by_type = Counter(resource["Type"] for resource in _RESOURCES.values() if "Condition" not in resource)
    seconds = SWEEPS * WARM_MS / 1000
    metrics = sum(map(len, EMITTERS.values())) if cases else len(EMITTERS["sweeper"])
    principals = len(_functions()) if cases else 1
    return {
        "alarms": prices.ALARM_MONTH.of(sum(_metrics(resource) for resource in _RESOURCES.values())),
        "own metrics": prices.METRIC_MONTH.of(metrics),
        "dashboard": prices.DASHBOARD_MONTH.of(by_type["AWS::CloudWatch::Dashboard"]),
        "secrets": prices.SECRET_MONTH.of(by_type["AWS::SecretsManager::Secret"] + 1),  # and the provider's
        "sweeper, Lambda": prices.COMPUTE.of(memory_gb("sweeper") * seconds) + prices.INVOCATION.of(SWEEPS),
        "sweeper, reads": prices.READ_UNIT.of(SWEEPS * sweep.total(READ)),
        "sweeper, logs": prices.LOG.of(SWEEPS * _logged(sweep)),
        "key of the table": prices.KEY_CALL.of(principals * MONTH_H * 12),
    }


def _functions() -> list[str]:
    return [name for name, each in _RESOURCES.items() if each["Type"] == "AWS::Serverless::Function"]


def _metrics(resource: dict[str, Any]) -> int:
    """Return the number of metrics that an alarm watches; 0 for any other resource."""
    if resource["Type"] != "AWS::CloudWatch::Alarm":
        return 0
    metrics = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
    return sum("MetricStat" in metric for metric in metrics)
