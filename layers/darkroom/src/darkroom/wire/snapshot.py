"""The snapshot that a worker sends to the webhook."""

from typing import Annotated, Self

from pydantic import Field

from darkroom.domain.errors import FieldError, InvalidInput
from darkroom.domain.job import Status
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.domain.words import word
from darkroom.wire.model import FailureView, Id, Internal, Wire, failure_views, micro_usd, to_failures, usd
from darkroom.wire.run_events import RunEventsView

Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Moment = Annotated[int, Field(ge=0, le=100_000_000_000_000)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class ImageProgressUpdate(Internal):
    """A worker's snapshot: the whole state of its run. Images are storage keys, by shot id."""

    case_id: Id
    job_id: Id
    run: Count
    claim: Id
    sequence: Count
    kind: Annotated[str, Field(max_length=40, json_schema_extra={"enum": [*SnapshotKind]})]
    status: Annotated[str, Field(max_length=40, json_schema_extra={"enum": [*Status]})]
    completed_images: int
    total_images: int
    evidence_images: dict[str, str]
    location_images: dict[str, str]
    images: dict[str, str] = Field(default={})
    """Pictures of any kind. A sender may leave out those of the two lists."""
    failed_ids: list[str]
    errors: dict[str, FailureView]
    cost_usd: Dollars = 0
    wasted_usd: Dollars = 0
    price_usd: Dollars = 0
    waiting_until: Moment | None = None
    request_id: Annotated[str, Field(max_length=100)] | None = None
    processing: Id | None = None
    sent_at: Moment | None = None
    log: RunEventsView | None = None
    """Events of the run."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> Self:
        """Return `snapshot` as JSON."""
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
            images=dict(snapshot.other_images),
            failed_ids=list(snapshot.failures),
            errors=failure_views(snapshot.failures),
            cost_usd=usd(snapshot.cost_micro_usd),
            wasted_usd=usd(snapshot.wasted_micro_usd),
            price_usd=usd(snapshot.price_micro_usd),
            waiting_until=snapshot.waiting_until,
            request_id=snapshot.request_id,
            processing=snapshot.processing,
            sent_at=snapshot.sent_at,
            log=RunEventsView.of(snapshot.events, snapshot.events_omitted),
        )

    def to_snapshot(self) -> Snapshot:
        """Return the snapshot as a domain object. Raise InvalidInput if it contradicts itself."""
        snapshot = Snapshot(
            case_id=self.case_id,
            job_id=self.job_id,
            run=self.run,
            claim=self.claim,
            sequence=self.sequence,
            kind=word(SnapshotKind, self.kind),
            total=self.total_images,
            evidence_images=self.evidence_images,
            location_images=self.location_images,
            other_images={
                shot_id: key
                for shot_id, key in self.images.items()
                if shot_id not in self.evidence_images and shot_id not in self.location_images
            },
            failures=to_failures(self.errors),
            cost_micro_usd=micro_usd(self.cost_usd),
            wasted_micro_usd=micro_usd(self.wasted_usd),
            price_micro_usd=micro_usd(self.price_usd),
            waiting_until=self.waiting_until,
            request_id=self.request_id,
            processing=self.processing,
            sent_at=self.sent_at,
            events=self.log.to_events() if self.log else (),
            events_omitted=self.log.omitted if self.log else 0,
        )
        contradictions = self._contradictions(snapshot)
        if contradictions:
            raise InvalidInput("the snapshot contradicts itself", contradictions)
        return snapshot

    def _contradictions(self, snapshot: Snapshot) -> list[FieldError]:
        """Return an error for each field whose value follows from others and differs from it."""
        rules: dict[str, tuple[object, object]] = {
            "completedImages": (self.completed_images, len(snapshot.images)),
            "failedIds": (sorted(self.failed_ids), sorted(self.errors)),
            "images": ({**snapshot.images, **self.images}, snapshot.images),
        }
        if isinstance(snapshot.kind, SnapshotKind):
            rules["status"] = (self.status, snapshot.status)
        return [
            FieldError(name, f"must be {expected}")
            for name, (received, expected) in rules.items()
            if received != expected
        ]


class Received(Wire):
    """The webhook's response."""

    success: bool = True
