"""What callers send and get."""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from darkroom.domain.case import MAX_SHOTS, Case, Shot, ShotKind
from darkroom.domain.job import Job, Status
from darkroom.domain.metrics import Count, Totals, Window
from darkroom.domain.receivers import CallbackEvent, ReceiverPolicy
from darkroom.wire.model import (
    FailureView,
    Id,
    Request,
    Wire,
    optional_micro_usd,
    optional_usd,
    usd,
)
from darkroom.wire.receivers import MAX_LENGTH, receiver

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
MaxCost = Annotated[float, Field(ge=0.000_001, le=10_000, allow_inf_nan=False)]
CallbackUrl = Annotated[str, StringConstraints(min_length=8, max_length=MAX_LENGTH)]
Description = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]

NO_RECEIVERS = ReceiverPolicy(hosts=())

Share = Literal["read", "retry"]
"""What the link to a case's page allows: to look, or also to retry what failed."""


class Item(Request):
    """A piece of evidence or a location."""

    id: Id
    name: Name
    description: Description

    def to_shot(self, kind: ShotKind) -> Shot:
        """The shot this item asks for."""
        return Shot(id=self.id, kind=kind, name=self.name, description=self.description)


class SubmitRequest(Request):
    """A case to generate images for: at least one item, at most 100, ids unique over both lists."""

    case_id: Id
    evidence: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    locations: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    max_cost_usd: MaxCost | None = None
    """What all its pictures may cost together; a request that would exceed it is not made."""
    callback_url: CallbackUrl | None = None
    """Who is told what becomes of the case, signed."""
    callback_events: list[CallbackEvent] = Field(default=[], max_length=len(CallbackEvent))
    """Of what; of everything if none are named."""

    @model_validator(mode="after")
    def _counts_and_ids(self) -> Self:
        ids = [item.id for item in (*self.evidence, *self.locations)]
        if not 1 <= len(ids) <= MAX_SHOTS:
            raise PydanticCustomError("items", f"evidence and locations together need 1 to {MAX_SHOTS} items")
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise PydanticCustomError(
                "ids",
                "ids must be unique over evidence and locations; given twice: {ids}",
                {"ids": ", ".join(twice[:5])},
            )
        return self

    def to_case(self, receivers: ReceiverPolicy = NO_RECEIVERS) -> Case:
        """The case in the domain's words; raises InvalidInput for a receiver that is not allowed."""
        return Case(
            case_id=self.case_id,
            shots=(
                *(item.to_shot(ShotKind.EVIDENCE) for item in self.evidence),
                *(item.to_shot(ShotKind.LOCATION) for item in self.locations),
            ),
            max_cost_micro_usd=optional_micro_usd(self.max_cost_usd),
            receiver=None
            if self.callback_url is None
            else receiver(self.callback_url, self.callback_events, receivers),
        )


class ShotChange(Request):
    """What a retry changes of a shot."""

    description: Description


class RetryRequest(Request):
    """A retry of the shots without a picture; `shots` gives some of them another description."""

    shots: dict[Id, ShotChange] = Field(
        default={}, max_length=MAX_SHOTS, json_schema_extra={"additionalProperties": False}
    )
    max_cost_usd: MaxCost | None = None
    """Of the job from its beginning, in place of the one it was submitted with."""

    @property
    def max_cost_micro_usd(self) -> int | None:
        """The new maximum; None keeps the old one."""
        return optional_micro_usd(self.max_cost_usd)

    def descriptions(self) -> dict[str, str]:
        """Shot id → its new description."""
        return {shot_id: change.description for shot_id, change in self.shots.items()}


RETRY_ALL = RetryRequest()
"""What no body means: every shot without a picture, as it was described."""


class RequestView(Wire):
    """What pictures were asked for, as the latest retry has changed it."""

    case_id: str
    evidence: list[Item]
    locations: list[Item]
    max_cost_usd: float | None = None

    @classmethod
    def of(cls, case: Case) -> Self:
        """`case` in the form in which it is submitted."""
        items = {
            kind: [
                Item(id=s.id, name=s.name, description=s.description) for s in case.shots if s.kind is kind
            ]
            for kind in ShotKind
        }
        return cls(
            case_id=case.case_id,
            evidence=items[ShotKind.EVIDENCE],
            locations=items[ShotKind.LOCATION],
            max_cost_usd=optional_usd(case.max_cost_micro_usd),
        )


class ItemView(Wire):
    """An item of a job, without its description."""

    id: str
    name: str


class JobView(Wire):
    """The job of a case. Times are epoch milliseconds; images are links, by shot id."""

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
    linked_ids: list[str] | None = None
    """Ids whose pictures are links in an answer with `images=inline`: they did not fit, or are gone."""

    @classmethod
    def of(cls, job: Job, image: Callable[[str], str]) -> Self:
        """`job` as callers see it; `image` gives what stands for a shot's picture."""
        items = {kind: [s for s in job.shots if s.kind is kind] for kind in ShotKind}
        images = {
            kind: {s.id: image(s.id) for s in shots if s.id in job.images} for kind, shots in items.items()
        }
        views = {kind: [ItemView(id=s.id, name=s.name) for s in shots] for kind, shots in items.items()}
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
            evidence=views[ShotKind.EVIDENCE],
            locations=views[ShotKind.LOCATION],
            total_images=len(job.shots),
            completed_images=len(job.images),
            failed_images=len(job.failures),
            evidence_images=images[ShotKind.EVIDENCE],
            location_images=images[ShotKind.LOCATION],
            failed_ids=list(job.failures),
            errors={i: FailureView.of(failure) for i, failure in job.failures.items()},
            retry_count=job.retry_count,
            last_error=job.last_error,
            cost_usd=usd(job.cost_micro_usd),
            wasted_usd=usd(job.wasted_micro_usd),
            max_cost_usd=optional_usd(job.max_cost_micro_usd),
            waiting_until=job.waiting_until,
        )


class AcceptedView(JobView):
    """The job, for whoever asked for it."""

    share_url: str | None = None
    """Where people watch the case. Whoever has it sees the pictures, until it expires."""
    status_url: str | None = None
    """Where the job can be polled without a token, if the deployment writes status documents."""


class ImageStatusView(Wire):
    """The status record of old clients."""

    status: Literal["ready"] | Status
    completed_at: int | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The old words for where `job` stands."""
        ready = job.status is Status.COMPLETED
        return cls(status="ready" if ready else job.status, completed_at=job.completed_at)


class MetricsView(Wire):
    """How the deployment did in a window. Times are seconds; left out where nothing was counted."""

    window: Window
    cases_submitted: int
    jobs_completed: int
    jobs_partial: int
    jobs_failed: int
    jobs_cancelled: int
    images_requested: int
    images_completed: int
    images_failed: int
    images_refused: int
    success_rate: float | None = None
    """Of the pictures decided on, the share that was made; refusals are among those decided on."""
    failure_rate: float | None = None
    """Of them, the share that failed for another reason than a refusal."""
    generation_time_p50: float | None = None
    """From the submission to the job's first ending."""
    generation_time_p95: float | None = None
    webhook_latency_p50: float | None = None
    """From the worker's sending a snapshot to its being in the job."""
    webhook_latency_p95: float | None = None
    retries: int
    stuck_now: int
    """Jobs that have been generating for over ten minutes, and no worker owns them."""
    cost_usd: float
    wasted_usd: float

    @classmethod
    def of(cls, window: Window, totals: Totals, stuck: int) -> Self:
        """`totals` as callers see them."""
        counts = totals.counts
        return cls(
            window=window,
            cases_submitted=counts[Count.CASES],
            jobs_completed=counts[Count.ENDED_COMPLETED],
            jobs_partial=counts[Count.ENDED_PARTIAL],
            jobs_failed=counts[Count.ENDED_FAILED],
            jobs_cancelled=counts[Count.ENDED_CANCELLED],
            images_requested=counts[Count.REQUESTED],
            images_completed=counts[Count.COMPLETED],
            images_failed=counts[Count.FAILED],
            images_refused=counts[Count.REFUSED],
            success_rate=totals.success_rate,
            failure_rate=totals.failure_rate,
            generation_time_p50=_seconds(totals.generation_percentile(0.5)),
            generation_time_p95=_seconds(totals.generation_percentile(0.95)),
            webhook_latency_p50=_seconds(totals.webhook_percentile(0.5)),
            webhook_latency_p95=_seconds(totals.webhook_percentile(0.95)),
            retries=counts[Count.RETRIES],
            stuck_now=stuck,
            cost_usd=usd(counts[Count.COST]),
            wasted_usd=usd(counts[Count.WASTED]),
        )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 3)


class Received(Wire):
    """The webhook's answer."""

    success: bool = True
