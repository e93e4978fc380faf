"""The JSON that crosses Darkroom's borders: camelCase names, checked on the way in.

Callers' requests refuse unknown fields, so that a typing error is noticed; events and snapshots
between our own functions ignore them, because old and new versions overlap during a deploy.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from darkroom.domain.case import ID_PATTERN, MAX_SHOTS, Case, Shot, ShotKind
from darkroom.domain.errors import FieldError, InvalidInput
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.progress import Snapshot, SnapshotKind
from darkroom.domain.work import WorkOrder

Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
Description = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"\S")]

_MICRO = 1_000_000


def parse[M: BaseModel](model: type[M], body: bytes | dict[str, Any]) -> M:
    """JSON, or what was read from it, as `model`; raises InvalidInput naming each wrong field."""
    try:
        if isinstance(body, bytes):
            return model.model_validate_json(body)
        return model.model_validate(body)
    except ValidationError as error:
        wrong = [
            FieldError(".".join(map(str, item["loc"])) or "body", item["msg"])
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    # Outside the except block: the original holds the input, which must not reach a log.
    raise InvalidInput("; ".join(f"{e.field}: {e.message}" for e in wrong[:5]), wrong)


class _Wire(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True
    )


class _Request(_Wire):
    model_config = ConfigDict(extra="forbid")


class _Internal(_Wire):
    model_config = ConfigDict(extra="ignore")


class Item(_Request):
    """A piece of evidence or a location."""

    id: Id
    name: Name
    description: Description

    def to_shot(self, kind: ShotKind) -> Shot:
        """The shot this item asks for."""
        return Shot(id=self.id, kind=kind, name=self.name, description=self.description)


class SubmitRequest(_Request):
    """A case to be developed: at least one item, at most 100, ids unique over both lists."""

    case_id: Id
    evidence: list[Item] = Field(default=[], max_length=MAX_SHOTS)
    locations: list[Item] = Field(default=[], max_length=MAX_SHOTS)

    @model_validator(mode="after")
    def _counts_and_ids(self) -> Self:
        ids = [item.id for item in (*self.evidence, *self.locations)]
        if not 1 <= len(ids) <= MAX_SHOTS:
            raise PydanticCustomError(
                "items", f"evidence and locations together need 1 to {MAX_SHOTS} items"
            )
        if twice := sorted({i for i in ids if ids.count(i) > 1}):
            raise PydanticCustomError(
                "ids",
                "ids must be unique over evidence and locations; given twice: {ids}",
                {"ids": ", ".join(twice[:5])},
            )
        return self

    def to_case(self) -> Case:
        """The case in the domain's words."""
        return Case(case_id=self.case_id, shots=_shots(self.evidence, self.locations))


class ItemView(_Wire):
    """An item of a job, without its description."""

    id: str
    name: str


class FailureView(_Internal):
    """Why a shot has no picture; `retryable` says whether the same request may succeed later."""

    code: str
    message: str
    retryable: bool

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """`failure` as callers see it."""
        return cls(code=failure.code, message=failure.message, retryable=failure.retryable)

    def to_failure(self) -> Failure:
        """The failure in the domain's words."""
        return Failure(code=self.code, message=self.message, retryable=self.retryable)


class JobView(_Wire):
    """The job of a case. Times are epoch milliseconds; images are links, by shot id."""

    case_id: str
    job_id: str
    run: int
    version: int
    status: Status
    created_at: int
    started_at: int | None
    completed_at: int | None
    armed_at: int
    due_at: int | None
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
    last_error: str | None
    cost_usd: float
    wasted_usd: float

    @classmethod
    def of(cls, job: Job, image: Callable[[str], str]) -> Self:
        """`job` as callers see it; `image` gives what stands for a shot's picture."""
        items = {kind: [s for s in job.shots if s.kind is kind] for kind in ShotKind}
        images = {
            kind: {s.id: image(s.id) for s in shots if s.id in job.images}
            for kind, shots in items.items()
        }
        views = {
            kind: [ItemView(id=s.id, name=s.name) for s in shots] for kind, shots in items.items()
        }
        return cls(
            case_id=job.case_id,
            job_id=job.job_id,
            run=job.run,
            version=job.version,
            status=job.status,
            created_at=job.created_at,
            started_at=job.started_at,
            completed_at=job.completed_at,
            armed_at=job.armed_at,
            due_at=job.due_at,
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
            cost_usd=_usd(job.cost_micro_usd),
            wasted_usd=_usd(job.wasted_micro_usd),
        )


class ImageStatusView(_Wire):
    """The status record of old clients."""

    status: Literal["ready", "pending", "generating", "partial", "failed", "cancelled"]
    completed_at: int | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The old words for where `job` stands."""
        ready = job.status is Status.COMPLETED
        return cls(status="ready" if ready else job.status.value, completed_at=job.completed_at)


class Received(_Wire):
    """The webhook's answer."""

    success: bool = True


class ProblemField(_Wire):
    """One wrong field of a request."""

    field: str
    message: str


class Problem(_Wire):
    """An error, as RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] | None = None


class ImageProgressUpdate(_Internal):
    """A worker's snapshot: everything the run knows; images as storage keys."""

    case_id: Id
    job_id: Id
    run: Annotated[int, Field(ge=1)]
    claim: Id
    sequence: Annotated[int, Field(ge=1)]
    kind: SnapshotKind
    status: Status
    completed_images: int
    total_images: int
    evidence_images: dict[str, str]
    location_images: dict[str, str]
    failed_ids: list[str]
    errors: dict[str, FailureView]
    cost_usd: Annotated[float, Field(ge=0)] = 0
    wasted_usd: Annotated[float, Field(ge=0)] = 0

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """`snapshot` as it travels."""
        return cls(
            case_id=snapshot.case_id,
            job_id=snapshot.job_id,
            run=snapshot.run,
            claim=snapshot.claim,
            sequence=snapshot.sequence,
            kind=snapshot.kind,
            status=snapshot.status,
            completed_images=len(snapshot.images),
            total_images=snapshot.total,
            evidence_images=dict(snapshot.evidence_images),
            location_images=dict(snapshot.location_images),
            failed_ids=list(snapshot.failures),
            errors={i: FailureView.of(failure) for i, failure in snapshot.failures.items()},
            cost_usd=_usd(snapshot.cost_micro_usd),
            wasted_usd=_usd(snapshot.wasted_micro_usd),
        )

    def to_snapshot(self) -> Snapshot:
        """The snapshot in the domain's words; raises InvalidInput when it contradicts itself."""
        snapshot = Snapshot(
            case_id=self.case_id,
            job_id=self.job_id,
            run=self.run,
            claim=self.claim,
            sequence=self.sequence,
            kind=self.kind,
            total=self.total_images,
            evidence_images=self.evidence_images,
            location_images=self.location_images,
            failures={i: view.to_failure() for i, view in self.errors.items()},
            cost_micro_usd=_micro(self.cost_usd),
            wasted_micro_usd=_micro(self.wasted_usd),
        )
        rules = {
            "completedImages": (self.completed_images, len(snapshot.images)),
            "failedIds": (sorted(self.failed_ids), sorted(self.errors)),
            "status": (self.status, snapshot.status),
        }
        wrong = [
            FieldError(name, f"must be {expected}")
            for name, (given, expected) in rules.items()
            if given != expected
        ]
        if wrong:
            raise InvalidInput("the snapshot contradicts itself", wrong)
        return snapshot


class EventItem(_Internal):
    """An item of a worker's event."""

    id: str
    name: str
    description: str

    def to_shot(self, kind: ShotKind) -> Shot:
        """The shot this item asks for."""
        return Shot(id=self.id, kind=kind, name=self.name, description=self.description)


class WorkerEvent(_Internal):
    """What a worker is invoked with: always all items, and which are done."""

    case_id: Id
    job_id: Id
    run: int
    hop: int
    claim_before: int
    deadline_at: int
    spent_usd: float = 0
    wasted_usd: float = 0
    evidence: list[EventItem]
    locations: list[EventItem]
    done: dict[str, str]
    webhook_url: str

    @classmethod
    def of(cls, order: WorkOrder) -> Self:
        """`order` as it travels."""
        return cls(
            case_id=order.case.case_id,
            job_id=order.job_id,
            run=order.run,
            hop=order.hop,
            claim_before=order.claim_before,
            deadline_at=order.deadline_at,
            spent_usd=_usd(order.spent_micro_usd),
            wasted_usd=_usd(order.wasted_micro_usd),
            evidence=_items(order.case, ShotKind.EVIDENCE),
            locations=_items(order.case, ShotKind.LOCATION),
            done=dict(order.done),
            webhook_url=order.webhook_url,
        )

    def to_order(self) -> WorkOrder:
        """The order in the domain's words."""
        return WorkOrder(
            case=Case(case_id=self.case_id, shots=_shots(self.evidence, self.locations)),
            job_id=self.job_id,
            run=self.run,
            hop=self.hop,
            claim_before=self.claim_before,
            deadline_at=self.deadline_at,
            spent_micro_usd=_micro(self.spent_usd),
            wasted_micro_usd=_micro(self.wasted_usd),
            done=self.done,
            webhook_url=self.webhook_url,
        )


class WorkerResult(_Wire):
    """What a worker returns; `duration` in milliseconds."""

    success: bool
    case_id: str
    status: str
    completed_images: int
    total_images: int
    duration: int


def dump(view: BaseModel) -> str:
    """`view` as JSON in the names of the wire; what is None is left out."""
    return view.model_dump_json(by_alias=True, exclude_none=True)


def _shots(
    evidence: Sequence[Item | EventItem], locations: Sequence[Item | EventItem]
) -> tuple[Shot, ...]:
    return (
        *(item.to_shot(ShotKind.EVIDENCE) for item in evidence),
        *(item.to_shot(ShotKind.LOCATION) for item in locations),
    )


def _items(case: Case, kind: ShotKind) -> list[EventItem]:
    return [
        EventItem(id=s.id, name=s.name, description=s.description) for s in case.shots if s.kind is kind
    ]


def _usd(micro: int) -> float:
    return micro / _MICRO


def _micro(usd: float) -> int:
    return int((Decimal(repr(usd)) * _MICRO).to_integral_value())
