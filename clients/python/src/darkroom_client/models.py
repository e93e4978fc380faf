"""The models of requests and responses. Times are epoch milliseconds, money is US dollars.

Fields that a later release of the server adds are ignored.
"""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
"""An integer that every JSON parser keeps exactly."""


class _Sent(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True, frozen=True
    )


class _Received(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class Item(_Sent):
    """A piece of evidence or a location."""

    id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]


class Case(_Sent):
    """The items to make pictures of."""

    case_id: Annotated[str, Field(min_length=1)]
    evidence: list[Item] = []
    locations: list[Item] = []
    max_cost_usd: Annotated[float, Field(allow_inf_nan=False)] | None = None
    callback_url: str | None = None
    callback_events: list[str] = []


class Status(StrEnum):
    """The statuses of a job that this release knows. All but the first two are final."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


Link = Annotated[str, AfterValidator(lambda link: re.sub(r"[^!-~]", lambda found: quote(found[0]), link))]
"""An address. Characters that an address may not contain are escaped, so it cannot control a terminal."""

type Word = Annotated[Status | str, Field(union_mode="left_to_right")]
"""A status, or an unknown one of a later release."""


class Named(_Received):
    """An item of a job."""

    id: str
    name: str


class Failure(_Received):
    """The reason why an item has no picture."""

    code: str
    message: str
    retryable: bool


class Job(_Received):
    """The job of a case. `*_images` map ids to links, or to `data:` URLs if requested and not too large."""

    case_id: str
    job_id: str
    run: Whole
    version: Whole
    status: Word
    created_at: Whole
    started_at: Whole | None = None
    completed_at: Whole | None = None
    deadline_at: Whole
    evidence: list[Named]
    locations: list[Named]
    total_images: Whole
    completed_images: Whole
    failed_images: Whole
    evidence_images: dict[str, Link]
    location_images: dict[str, Link]
    failed_ids: list[str]
    errors: dict[str, Failure]
    retry_count: Whole
    last_error: str | None = None
    cost_usd: float
    wasted_usd: float
    max_cost_usd: float | None = None
    waiting_until: Whole | None = None
    recovering: bool = False
    """True while a worker that may be lost is replaced by another."""
    share_url: Link | None = None
    """Link to the case's page; only in the response to a submission."""
    status_url: Link | None = None
    """Address for polling without a token; only in the response to a submission, if the deployment has it."""

    @property
    def is_open(self) -> bool:
        """True if the job has not ended. With an unknown status it has ended if it has an end time."""
        if isinstance(self.status, Status):
            return self.status in (Status.PENDING, Status.GENERATING)
        return self.completed_at is None

    @property
    def images(self) -> dict[str, str]:
        """Id → link, of evidence and locations."""
        return {**self.evidence_images, **self.location_images}

    @property
    def items(self) -> list[Named]:
        """Evidence, then locations."""
        return [*self.evidence, *self.locations]

    @property
    def tag(self) -> str:
        """Identifier of this state of the job, for If-Match."""
        return f'"{self.job_id}.{self.version}"'


class Event(_Received):
    """Something that a worker did. `outcome` of an attempt is `made` or an error code, perhaps unknown."""

    kind: str
    at: Whole
    milliseconds: Whole
    outcome: str
    shot_id: str | None = None
    attempt: Whole | None = None
    batch: Whole | None = None
    sequence: Whole | None = None
    hedge: bool = False
    cost_usd: float = 0


class HistoryEntry(_Received):
    """A change of the job, and who made it."""

    at: Whole
    action: str
    run: Whole
    by: str


class Run(_Received):
    """The events of one run."""

    run: Whole
    claimed_at: Whole
    events: list[Event]
    omitted: Whole = 0


class Timeline(_Received):
    """The history of a case's job, and the events of its runs."""

    case_id: str
    job_id: str
    status: Word
    version: Whole
    created_at: Whole
    completed_at: Whole | None = None
    history: list[HistoryEntry]
    history_omitted: Whole = 0
    runs: list[Run]


class Delivery(_Received):
    """A callback for one version of the job: what was sent, and the receiver's response."""

    version: Whole
    event: str
    url: str
    state: str
    attempts: Whole
    created_at: Whole
    due_at: Whole | None = None
    last_status: Whole | None = None
    last_error: str | None = None
    milliseconds: Whole | None = None


class Deliveries(_Received):
    """The latest callbacks of a job."""

    case_id: str
    job_id: str
    deliveries: list[Delivery]


class Metrics(_Received):
    """The figures of a deployment for a time window. Times are seconds, None without data."""

    window: str
    cases_submitted: Whole
    jobs_completed: Whole
    jobs_partial: Whole
    jobs_failed: Whole
    jobs_cancelled: Whole
    images_requested: Whole
    images_completed: Whole
    images_failed: Whole
    images_refused: Whole
    success_rate: float | None = None
    failure_rate: float | None = None
    generation_time_p50: float | None = None
    generation_time_p95: float | None = None
    webhook_latency_p50: float | None = None
    webhook_latency_p95: float | None = None
    retries: Whole
    stuck_now: Whole
    cost_usd: float
    wasted_usd: float
