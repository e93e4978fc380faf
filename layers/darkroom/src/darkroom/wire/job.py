"""The job of a case, as callers see it."""

from collections.abc import Callable
from typing import Literal, Self

from darkroom.domain.case import ShotKind
from darkroom.domain.job import Job, Status
from darkroom.wire.model import FailureView, Wire, failure_views, optional_usd, usd
from darkroom.wire.shots import of_kind


class ItemView(Wire):
    """An item of a job, without its description."""

    id: str
    name: str


class JobView(Wire):
    """The job of a case. Times are epoch milliseconds. Images are links, by shot id."""

    case_id: str
    job_id: str
    run: int
    version: int
    status: Status
    created_at: int
    started_at: int | None = None
    completed_at: int | None = None
    scheduled_at: int
    deadline_at: int
    evidence: list[ItemView]
    locations: list[ItemView]
    total_images: int
    completed_images: int
    failed_images: int
    evidence_images: dict[str, str]
    location_images: dict[str, str]
    failed_ids: list[str]
    errors: dict[str, FailureView]
    retry_count: int
    last_error: str | None = None
    cost_usd: float
    wasted_usd: float
    max_cost_usd: float | None = None
    waiting_until: int | None = None
    recovering: bool | None = None
    """True while a worker that may be lost is replaced by another. Otherwise it is left out."""
    linked_ids: list[str] | None = None
    """Ids whose pictures are links despite `images=inline`: they did not fit, or were deleted."""

    @classmethod
    def of(cls, job: Job, image: Callable[[str], str]) -> Self:
        """Return the view of `job`. `image` returns the address of a shot's picture."""
        shots = {kind: of_kind(job.shots, kind) for kind in ShotKind}
        items = {kind: [ItemView(id=s.id, name=s.name) for s in shots[kind]] for kind in ShotKind}
        images = {kind: {s.id: image(s.id) for s in shots[kind] if s.id in job.images} for kind in ShotKind}
        return cls(
            case_id=job.case_id,
            job_id=job.job_id,
            run=job.run,
            version=job.version,
            status=job.status,
            created_at=job.created_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            scheduled_at=job.scheduled_at,
            deadline_at=job.deadline_at,
            evidence=items[ShotKind.EVIDENCE],
            locations=items[ShotKind.LOCATION],
            total_images=len(job.shots),
            completed_images=len(job.images),
            failed_images=len(job.failures),
            evidence_images=images[ShotKind.EVIDENCE],
            location_images=images[ShotKind.LOCATION],
            failed_ids=list(job.failures),
            errors=failure_views(job.failures),
            retry_count=job.retry_count,
            last_error=job.last_error,
            cost_usd=usd(job.cost_micro_usd),
            wasted_usd=usd(job.wasted_micro_usd),
            max_cost_usd=optional_usd(job.max_cost_micro_usd),
            waiting_until=job.waiting_until,
            recovering=job.is_recovering or None,
        )


class AcceptedView(JobView):
    """The job, as the caller who changed it receives it."""

    share_url: str | None = None
    """URL of the case's web page. It shows the pictures to everybody who has the URL, until it expires."""
    status_url: str | None = None
    """URL of the status document, which needs no token. Only if the deployment writes status documents."""


class ImageStatusView(Wire):
    """The status of a job, as old clients read it: `ready` stands for `completed`."""

    status: Literal["ready"] | Status
    completed_at: int | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the view of `job`."""
        ready = job.status is Status.COMPLETED
        return cls(status="ready" if ready else job.status, completed_at=job.completed_at)
