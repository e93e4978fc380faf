"""What is sent and what comes back. Times are epoch milliseconds, money is US dollars.

What the server adds in later releases is ignored.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


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
    """What pictures are wanted of."""

    case_id: Annotated[str, Field(min_length=1)]
    evidence: list[Item] = []
    locations: list[Item] = []
    max_cost_usd: float | None = None
    callback_url: str | None = None
    callback_events: list[str] = []


class Status(StrEnum):
    """Where a job stands; all but the first two are its end."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Named(_Received):
    """An item of a job."""

    id: str
    name: str


class Failure(_Received):
    """Why an item has no picture."""

    code: str
    message: str
    retryable: bool


class Job(_Received):
    """The job of a case. `*_images` map ids to links, or to `data:` URLs where they were asked for."""

    case_id: str
    job_id: str
    run: int
    version: int
    status: Status
    created_at: int
    started_at: int | None = None
    completed_at: int | None = None
    deadline_at: int
    evidence: list[Named]
    locations: list[Named]
    total_images: int
    completed_images: int
    failed_images: int
    evidence_images: dict[str, str]
    location_images: dict[str, str]
    failed_ids: list[str]
    errors: dict[str, Failure]
    retry_count: int
    last_error: str | None = None
    cost_usd: float
    wasted_usd: float
    max_cost_usd: float | None = None
    waiting_until: int | None = None
    share_url: str | None = None
    """Where people watch the case; only in the answer to a submission."""
    status_url: str | None = None
    """Where it can be polled without a token; as `share_url`, if the deployment has such documents."""

    @property
    def is_open(self) -> bool:
        """Whether anything still happens to it."""
        return self.status in (Status.PENDING, Status.GENERATING)

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
        """Names this state of the job, for If-Match."""
        return f'"{self.job_id}.{self.version}"'


class Event(_Received):
    """Something a worker did. `outcome` of a try is `made`, or the code of its error."""

    kind: str
    at: int
    milliseconds: int
    outcome: str
    shot_id: str | None = None
    attempt: int | None = None
    batch: int | None = None
    sequence: int | None = None
    hedge: bool = False
    cost_usd: float = 0


class Move(_Received):
    """Something that happened to the job, and who did it."""

    at: int
    what: str
    run: int
    by: str


class Run(_Received):
    """What one run did."""

    run: int
    claimed_at: int
    events: list[Event]
    omitted: int = 0


class Timeline(_Received):
    """What happened to a case, and when."""

    case_id: str
    job_id: str
    status: Status
    version: int
    created_at: int
    completed_at: int | None = None
    moves: list[Move]
    moves_omitted: int = 0
    runs: list[Run]


class Delivery(_Received):
    """A callback that was sent, or is to be: of which version of the job, and what the receiver answered."""

    version: int
    event: str
    url: str
    state: str
    attempts: int
    created_at: int
    due_at: int | None = None
    last_status: int | None = None
    last_error: str | None = None
    milliseconds: int | None = None


class Deliveries(_Received):
    """The latest callbacks of a job."""

    case_id: str
    job_id: str
    deliveries: list[Delivery]


class Metrics(_Received):
    """How the deployment did in a window; times are seconds, None where nothing was counted."""

    window: str
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
    failure_rate: float | None = None
    generation_time_p50: float | None = None
    generation_time_p95: float | None = None
    webhook_latency_p50: float | None = None
    webhook_latency_p95: float | None = None
    retries: int
    stuck_now: int
    cost_usd: float
    wasted_usd: float
