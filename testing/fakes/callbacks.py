"""The fakes around callbacks: the outbox, the start of deliverers, and a receiver."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import override

from darkroom.domain.callbacks import Delivery, ReceiverResponse
from darkroom.domain.errors import Contention, DeliveryNotFound, InvokeRefused
from darkroom.domain.job import Job
from darkroom.ports import CallbackSender, DelivererInvoker, Outbox


class MemoryOutbox(Outbox):
    """An outbox in memory."""

    def __init__(self) -> None:
        self.deliveries: dict[tuple[str, str, int], Delivery] = {}
        self.gone: set[str] = set()

    @override
    def add(self, delivery: Delivery) -> bool:
        return self.deliveries.setdefault(delivery.key, delivery) is delivery

    @override
    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        if (case_id, job_id, version) not in self.deliveries:
            raise DeliveryNotFound("there is no such delivery")
        return self.deliveries[case_id, job_id, version]

    @override
    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        if self.deliveries.get(over.key) != over:
            raise Contention("somebody else tries this delivery")
        self.deliveries[delivery.key] = delivery

    @override
    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        found = sorted((d.due_at, d.key) for d in self.deliveries.values() if d.due_at is not None)
        return [key for due_at, key in found if due_at <= now][:limit]

    @override
    def of_job(self, job: Job) -> Sequence[Delivery]:
        found = [d for d in self.deliveries.values() if d.job_id == job.job_id]
        return sorted(found, key=lambda d: d.version)[-100:]

    @override
    def set_gone(self, delivery: Delivery) -> None:
        self.gone.add(delivery.job_id)

    @override
    def is_gone(self, delivery: Delivery) -> bool:
        return delivery.job_id in self.gone


@dataclass
class RecordedDeliverers(DelivererInvoker):
    """A DelivererInvoker that keeps the keys of the deliveries it is invoked for."""

    invoked: list[tuple[str, str, int]] = field(default_factory=list)
    refusing: bool = False

    @override
    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        if self.refusing:
            raise InvokeRefused("no deliverer could be started")
        self.invoked.append((case_id, job_id, version))


@dataclass
class ScriptedReceiver(CallbackSender):
    """A receiver that returns its responses in order, and repeats the last one."""

    responses: list[ReceiverResponse]
    sent: list[Delivery] = field(default_factory=list)

    @override
    def send(self, delivery: Delivery) -> ReceiverResponse:
        self.sent.append(delivery)
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
