"""The state of one run: its pictures, failures, costs and events so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from darkroom.domain.case import Shot, ShotKind
from darkroom.domain.job import Failure
from darkroom.domain.run import (
    MAX_EVENTS,
    OPERATOR_FAULTS,
    Ending,
    EventKind,
    RunEvent,
    RunReport,
    WorkOrder,
)
from darkroom.domain.snapshot import Snapshot, SnapshotKind
from darkroom.worker.image_model import ImageModel


@dataclass(kw_only=True)
class RunState:
    """The state of one run. Money is millionths of a US dollar and counts the whole job."""

    order: WorkOrder
    claim: str
    """Id with which this worker claims the run."""
    price_micro_usd: int
    """Price of a request to the first image model."""
    images: dict[str, str]
    """Shot id → storage key."""
    failures: dict[str, Failure]
    cost_micro_usd: int
    wasted_micro_usd: int
    requested_models: frozenset[str]
    """Names of the models that pictures are requested from."""
    models: Counter[str] = field(default_factory=Counter)
    """Number of pictures by the model that made them, as the provider names it."""
    billable_requests: int = 0
    """Number of this run's requests that the provider may charge for."""
    throttles: int = 0
    """Number of this run's requests that the provider refused for its rate limit."""
    operator_faults: int = 0
    """Number of this run's requests that ended in an error an operator must repair."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Number of failed requests by reason. A reason begins with the name of the image model."""
    defects: list[Exception] = field(default_factory=list)
    """Unexpected errors. Each failed its shot; the rest of the case went on."""
    postponed: list[int | None] = field(default_factory=list)
    """Time of the quota's next start for each shot that is left to another run; None if time ran out."""
    events: list[RunEvent] = field(default_factory=list)
    """The first `MAX_EVENTS` events of the run."""
    events_omitted: int = 0
    request_id: str | None = None
    """Lambda's id of the worker's invocation."""
    processing: str | None = None
    """Id of the shot whose picture is being processed, if the worker must name it."""
    cancelled: bool = False
    """True once the job is cancelled: running requests may end, and no other starts."""

    @classmethod
    def of(
        cls, order: WorkOrder, *, claim: str, request_id: str | None, image_models: Sequence[ImageModel]
    ) -> Self:
        """Return the state at the beginning of a run. It holds what earlier runs have achieved and spent."""
        return cls(
            order=order,
            claim=claim,
            request_id=request_id,
            price_micro_usd=image_models[0].price_micro_usd,
            images=dict(order.done),
            failures=dict(order.failed),
            cost_micro_usd=order.spent_micro_usd,
            wasted_micro_usd=order.wasted_micro_usd,
            requested_models=frozenset(image_model.model_id for image_model in image_models),
        )

    @property
    def unsettled(self) -> list[Shot]:
        """The shots that have neither a picture nor a failure, in the order of the case."""
        settled = self.images.keys() | self.failures.keys()
        return [shot for shot in self.order.case.shots if shot.id not in settled]

    @property
    def waiting_until(self) -> int | None:
        """Time of the quota's next start, in epoch milliseconds; None if no shot waits for the quota."""
        return min((at for at in self.postponed if at is not None), default=None)

    def add_stored_images(self, images: dict[str, str]) -> None:
        """Add pictures that earlier runs stored and did not report, each at the price of the first model."""
        self.cost_micro_usd += len(images.keys() - self.images.keys()) * self.price_micro_usd
        self.images = {**images, **self.images}
        self.failures = {i: f for i, f in self.failures.items() if i not in self.images}

    def record_event(self, event: RunEvent) -> None:
        """Count the event, and keep it unless the run has `MAX_EVENTS` already."""
        if event.reason:
            self.reasons[event.reason] += 1
        if event.kind is EventKind.ATTEMPT and event.outcome in OPERATOR_FAULTS:
            self.operator_faults += 1
        if len(self.events) < MAX_EVENTS:
            self.events.append(event)
        else:
            self.events_omitted += 1

    def record_cost(self, micro_usd: int, *, useful: bool) -> None:
        """Count a request that the provider may charge for; `useful` if its picture is used."""
        self.billable_requests += 1
        self.cost_micro_usd += micro_usd
        self.wasted_micro_usd += 0 if useful else micro_usd

    def snapshot(self, kind: SnapshotKind, sequence: int) -> Snapshot:
        """Return the snapshot of the run as it is now."""
        order = self.order
        return Snapshot(
            case_id=order.case.case_id,
            job_id=order.job_id,
            run=order.run,
            claim=self.claim,
            sequence=sequence,
            kind=kind,
            total=len(order.case.shots),
            evidence_images=self._images_of(ShotKind.EVIDENCE),
            location_images=self._images_of(ShotKind.LOCATION),
            failures=dict(self.failures),
            cost_micro_usd=self.cost_micro_usd,
            wasted_micro_usd=self.wasted_micro_usd,
            price_micro_usd=self.price_micro_usd,
            request_id=self.request_id if kind is SnapshotKind.CLAIM else None,
            processing=self.processing,
            waiting_until=self.waiting_until if kind is SnapshotKind.CONTINUE else None,
            events=tuple(self.events),
            events_omitted=self.events_omitted,
        )

    def report(self, ending: Ending, *, seconds: float, undelivered: int) -> RunReport:
        """Return the report of the run, which has ended."""
        return RunReport(
            ending=ending,
            seconds=seconds,
            undelivered=undelivered,
            images=self.images,
            failures=self.failures,
            cost_micro_usd=self.cost_micro_usd,
            wasted_micro_usd=self.wasted_micro_usd,
            billable_requests=self.billable_requests,
            throttles=self.throttles,
            operator_faults=self.operator_faults,
            models=self.models,
            requested_models=self.requested_models,
            reasons=self.reasons,
            defects=tuple(self.defects),
        )

    def _images_of(self, kind: ShotKind) -> dict[str, str]:
        ids = [shot.id for shot in self.order.case.shots if shot.kind is kind]
        return {shot_id: self.images[shot_id] for shot_id in ids if shot_id in self.images}
