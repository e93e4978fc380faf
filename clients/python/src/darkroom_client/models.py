"""What is sent and what comes back. Times are epoch milliseconds, money is US dollars.

What the server adds in later releases is ignored.
"""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
"""A number that every reader of JSON keeps exactly; a longer one is no count and no time."""


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
    max_cost_usd: Annotated[float, Field(allow_inf_nan=False)] | None = None
    callback_url: str | None = None
    callback_events: list[str] = []


class Status(StrEnum):
    """Where a job stands, as far as this release knows; all but the first two are its end."""

    PENDING = "pending"
    GENERATING = "generating"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


Link = Annotated[str, AfterValidator(lambda link: re.sub(r"[^!-~]", lambda found: quote(found[0]), link))]
"""An address; what may not be in one is escaped, so that it steers no terminal either."""

type Word = Annotated[Status | str, Field(union_mode="left_to_right")]
"""A status, or the word of a later release."""


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
    """The job of a case. `*_images` map ids to links, or to `data:` URLs where asked for and fitting."""

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
    share_url: Link | None = None
    """Where people watch the case; only in the answer to a submission."""
    status_url: Link | None = None
    """Where it can be polled without a token; as `share_url`, if the deployment has such documents."""

    @property
    def is_open(self) -> bool:
        """Whether anything still happens to it. A status of a later release is an end if the job has one."""
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
        """Names this state of the job, for If-Match."""
        return f'"{self.job_id}.{self.version}"'


class Event(_Received):
    """Something a worker did. `outcome` of a try is `made`, or the code of its error: an open word."""

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
    """Something that happened to the job, and who did it."""

    at: Whole
    action: str
    run: Whole
    by: str


class Run(_Received):
    """What one run did."""

    run: Whole
    claimed_at: Whole
    events: list[Event]
    omitted: Whole = 0


class Timeline(_Received):
    """What happened to a case, and when."""

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
    """A callback that was sent, or is to be: of which version of the job, and what the receiver answered."""

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
    """How the deployment did in a window; times are seconds, None where nothing was counted."""

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
