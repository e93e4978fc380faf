"""How functions log: JSON lines by Powertools, an event name plus fields, one canonical line a call.

Never logged: a prompt, a description, a key, a signature, an address that grants access.
"""

from collections import Counter
from collections.abc import Iterable

from aws_lambda_powertools import Logger

from darkroom.domain.job import Job
from darkroom.domain.work import WorkOrder
from darkroom.usecases.ledger import RunReport


def logger(service: str) -> Logger:
    """The logger of one function; `POWERTOOLS_LOG_LEVEL` sets its level."""
    return Logger(service=service, utc=True)


def log_run(log: Logger, order: WorkOrder, report: RunReport) -> None:
    """The canonical line of a worker's run, and one for each defect it met."""
    ledger = report.ledger
    log.info(
        "run_ended",
        case_id=order.case.case_id,
        job_id=order.job_id,
        run=order.run,
        ending=report.ending,
        completed=len(ledger.images),
        total=len(order.case.shots),
        failures=dict(Counter(failure.code for failure in ledger.failures.values())),
        undelivered=report.undelivered,
        requests_billed=ledger.requests,
        throttles=ledger.throttles,
        cost_micro_usd=ledger.cost_micro_usd,
        wasted_micro_usd=ledger.wasted_micro_usd,
        models=dict(ledger.models),
        seconds=round(report.seconds, 3),
    )
    if other := [model for model in ledger.models if not _is_one_of(model, ledger.asked)]:
        log.warning("another_model_answered", job_id=order.job_id, models=other, asked=list(ledger.asked))
    for defect in ledger.defects:
        log.error("shot_defect", job_id=order.job_id, run=order.run, exc_info=defect)


def _is_one_of(model: str, asked: Iterable[str]) -> bool:
    """Whether it is a model that was asked for, or a dated version of it."""
    return any(model == name or model.startswith(f"{name}-") for name in asked)


def log_job(log: Logger, event: str, job: Job) -> None:
    """What a caller asked for, and the job it is now."""
    log.info(
        event,
        case_id=job.case_id,
        job_id=job.job_id,
        run=job.run,
        version=job.version,
        job_status=job.status,
        shots=len(job.shots),
        completed=len(job.images),
        failed=len(job.failures),
    )
