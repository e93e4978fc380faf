"""What a worker is asked to do: all it needs to know, so that it never reads the job."""

from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.domain.case import Case
from darkroom.domain.job import Failure, Job


@dataclass(frozen=True, kw_only=True)
class WorkOrder:
    """One run of a job. Times are epoch milliseconds, money is millionths of a US dollar."""

    case: Case
    digests: Mapping[str, str]
    """Shot id → digest of its prompt, as the job has it: the worker's storage keys carry it."""
    job_id: str
    run: int
    hop: int
    claim_before: int
    """The run may not be claimed later: by then the sweeper may have armed the next."""
    deadline_at: int
    spent_micro_usd: int
    wasted_micro_usd: int
    done: Mapping[str, str]
    """Shot id → storage key of the pictures that need not be made."""
    failed: Mapping[str, Failure]
    """Shots that had their tries in an earlier run; only a caller's retry gives them more."""
    webhook_url: str
    returning: bool = False
    """The quota had sent the run before away; it has had its place in the queue."""


def work_order(job: Job, case: Case, *, webhook_url: str) -> WorkOrder:
    """The order for the job's current run; the job must be pending."""
    if job.due_at is None:
        raise ValueError("an ended job has no work")
    return WorkOrder(
        case=case,
        digests=job.digests,
        job_id=job.job_id,
        run=job.run,
        hop=job.hop,
        claim_before=job.due_at,
        deadline_at=job.deadline_at,
        spent_micro_usd=job.cost_micro_usd,
        wasted_micro_usd=job.wasted_micro_usd,
        done=job.images,
        failed=job.failures,
        webhook_url=webhook_url,
        returning=job.waiting_until is not None,
    )
