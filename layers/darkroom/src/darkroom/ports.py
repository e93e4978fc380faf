"""The ports: the core's interfaces to the outside. tests/contract holds each fake and adapter to its port."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from darkroom.domain.callbacks import Delivery, ReceiverResponse
from darkroom.domain.case import Case
from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, Totals, Window
from darkroom.domain.quota import QuotaState
from darkroom.domain.recovery import SecondLook
from darkroom.domain.run import RunLog, WorkOrder
from darkroom.domain.snapshot import Snapshot

type Clock = Callable[[], int]
"""Return the current time in epoch milliseconds."""

type NewId = Callable[[], str]
"""Return a new id that nobody can guess."""

type Jitter = Callable[[], float]
"""Return a random number in [0, 1)."""


class JobStore(Protocol):
    """The store of jobs and their cases. A version is stored only over the version before it."""

    def create(self, job: Job, case: Case) -> bool:
        """Store both or neither; return False when the case has a job. Raise CaseTooLarge or Busy."""

    def check_size(self, job: Job, case: Case) -> None:
        """Raise CaseTooLarge when the two are too large to be stored."""

    def get(self, case_id: str) -> Job:
        """Return the latest version, never a stale one; raise JobNotFound."""

    def get_case(self, job: Job) -> Case:
        """Return the case that the current run uses; raise JobNotFound."""

    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        """Store `job` over the version before it; raise Contention when another version is stored.

        With something `beside` it both are stored or neither: the case of a new revision or of a
        replaced job, or a run's log. Raise CaseTooLarge when the item is too large, or Busy. Nothing
        is stored when an error is raised.
        """

    def run_logs(self, job: Job) -> Sequence[RunLog]:
        """Return the logs of the latest runs of `job`, in their order; raise Contention.

        A run that has sent no events has no log.
        """

    def due(self, now: int, limit: int) -> Sequence[str]:
        """Return the case ids of at most `limit` jobs to look at by `now`, the longest overdue first."""


class DailyLimit(Protocol):
    """The daily limit: the number of cases that a caller may submit, or retry at a price, on one day."""

    def take(self, caller: str, now: int) -> None:
        """Count one more case of `caller`; raise DailyLimitReached when it would exceed the limit."""


class CounterStore(Protocol):
    """The counters that the metrics of the deployment are made from."""

    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        """Count `tally` at that time; return False when this version of the job is counted already.

        Raise Contention.
        """

    def totals(self, window: Window, *, now: int) -> Totals:
        """Return what was counted in the window up to `now`; raise Contention."""


class WorkerInvoker(Protocol):
    """Starts workers."""

    def invoke(self, order: WorkOrder) -> None:
        """Hand `order` to a worker, at least once and soon; raise InvokeRefused."""


class RecoveryQueue(Protocol):
    """Sends messages to the recovery function."""

    def send(self, look: SecondLook, *, delay_s: int) -> None:
        """Send `look`, to arrive after `delay_s` at least once; raise Contention when that fails."""


class SnapshotChannel(Protocol):
    """Sends a worker's snapshots to the webhook."""

    async def send(self, snapshot: Snapshot, url: str) -> None:
        """Send once; raise Superseded or Cancelled when the run must stop, else Undeliverable."""


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """A provider's picture: undecoded bytes, and the name of the model that made them."""

    data: bytes
    model: str


@dataclass(frozen=True, kw_only=True)
class StoredQuota:
    """The state of an image model's quota as it is stored, with the versions of its parts."""

    image_model: str
    state: QuotaState
    versions: tuple[int, ...]
    """Versions of the quota and then of each budget; 0 for one that is not stored yet."""


class QuotaStore(Protocol):
    """The store of quotas and budgets, which all workers share."""

    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        """Return the state of `image_model` with `budgets` (name → limit in micro-USD), never a stale one.

        What is not stored yet is empty. Raise Contention while it is being written, or StorageFailed.
        """

    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        """Store all that changed, or nothing; raise Contention when `stored` is not what is stored now.

        Raise StorageFailed when it is not known whether it was stored.
        """


class ImageProvider(Protocol):
    """Requests pictures from a provider's image model."""

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        """Return one picture; raise ShotError. A cancelled call ends its request if it can."""


class ImageProcessor(Protocol):
    """Makes the picture that players see from a provider's picture."""

    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        """Return a JPEG of this deployment's size and quality that holds `facts`; raise BadImage."""


class ImageStore(Protocol):
    """The store of pictures, for a worker."""

    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        """Store the picture and return when it is durable; raise StorageFailed."""

    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        """Return the keys of all pictures of a job; raise StorageFailed."""


class ImageIndex(Protocol):
    """The list of stored pictures, for functions that are not asynchronous."""

    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        """Return the keys of all pictures of a job; raise StorageFailed."""


class Outbox(Protocol):
    """The outbox: the callbacks to send, and the result of each."""

    def add(self, delivery: Delivery) -> bool:
        """Store the delivery; return False when there is one of this version of the job already."""

    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        """Return the delivery, never a stale one; raise DeliveryNotFound."""

    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        """Store the delivery over `over`; raise Contention when another one is stored."""

    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        """Return case id, job id and version of at most `limit` due ones, the longest overdue first."""

    def of_job(self, job: Job) -> Sequence[Delivery]:
        """Return the latest deliveries of `job`, in the order of their versions; raise Contention."""

    def set_gone(self, delivery: Delivery) -> None:
        """Store that the receiver wants no more callbacks of the delivery's job."""

    def is_gone(self, delivery: Delivery) -> bool:
        """Return True if that is stored for the delivery's job."""


class DelivererInvoker(Protocol):
    """Starts deliverers."""

    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        """Start a deliverer for a delivery, at least once and soon; raise InvokeRefused."""


class CallbackSender(Protocol):
    """Sends callbacks to their receivers."""

    def send(self, delivery: Delivery) -> ReceiverResponse:
        """Send once; a failure is a response with an error."""
