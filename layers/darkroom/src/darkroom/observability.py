"""Logging of the functions: JSON lines by Powertools. A line has the name of an event, and fields.

Each request and each invocation has one line that sums it up.

The correlation id of every line about a job is its `jobId`. The initiator creates it, and the worker's event,
each snapshot and the table contain it.

Never logged: a prompt, a description, a key, a signature, or a URL that grants access.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from aws_lambda_powertools import Logger

from darkroom.domain.case import is_id
from darkroom.domain.job import Job
from darkroom.domain.run import RunReport, WorkOrder

MAX_REASONS = 10
"""Maximum reasons of failed requests in the line of a run: the most frequent ones."""


def logger(service: str) -> Logger:
    """Return the logger of one function. `POWERTOOLS_LOG_LEVEL` sets its level."""
    # Lambda filters by level only lines whose timestamps have the format of RFC 3339.
    return Logger(service=service, utc=True, use_rfc3339=True)


def handle(
    log: Logger, resolve: Callable[[dict[str, Any], Any], dict[str, Any]], event: dict[str, Any], context: Any
) -> dict[str, Any]:
    """Return the response of `resolve` to an event of an HTTP API, and log one line about the request."""
    request_context = event["requestContext"]
    authorizer = request_context.get("authorizer") or {}
    case_id = (event.get("pathParameters") or {}).get("caseId", "")
    log.clear_state()
    log.append_keys(
        request_id=request_context["requestId"],
        route=event["routeKey"],
        caller=(authorizer.get("lambda") or {}).get("caller"),
        case_id=case_id if is_id(case_id) else None,
    )
    response = resolve(event, context)
    log.info("request_handled", status_code=response["statusCode"])
    return response


def log_run(log: Logger, order: WorkOrder, report: RunReport, *, cpu_seconds: float) -> None:
    """Write the canonical line of a worker's run, and a line for each unexpected error.

    What of `seconds` is not in `cpu_seconds` was spent waiting.
    """
    log.info(
        "run_ended",
        case_id=order.case.case_id,
        run=order.run,
        ending=report.ending,
        completed=len(report.images),
        total=len(order.case.shots),
        failures=dict(Counter(failure.code for failure in report.failures.values())),
        reasons=dict(Counter(report.reasons).most_common(MAX_REASONS)),
        undelivered=report.undelivered,
        requests_billed=report.billable_requests,
        throttles=report.throttles,
        cost_micro_usd=report.cost_micro_usd,
        wasted_micro_usd=report.wasted_micro_usd,
        models=dict(report.models),
        seconds=round(report.seconds, 3),
        cpu_seconds=round(cpu_seconds, 3),
    )
    if other := [model for model in report.models if not _is_one_of(model, report.requested_models)]:
        log.warning("unrequested_model", models=other, requested=list(report.requested_models))
    for defect in report.defects:
        log.error("shot_defect", run=order.run, exc_info=defect)


def _is_one_of(model: str, requested: Iterable[str]) -> bool:
    """Return True if `model` is a requested model, or a dated version of one."""
    return any(model == name or model.startswith(f"{name}-") for name in requested)


def log_job(log: Logger, action: str, job: Job) -> None:
    """Add the `action` on the job, and the job's state, to the line about the request."""
    log.set_correlation_id(job.job_id)
    log.append_keys(
        action=action,
        case_id=job.case_id,
        run=job.run,
        version=job.version,
        job_status=job.status,
        shots=len(job.shots),
        completed=len(job.images),
        failed=len(job.failures),
    )
