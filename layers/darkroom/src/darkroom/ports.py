"""What the core needs from outside. Each promise is held by tests/contract on fake and adapter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from darkroom.domain.callbacks import Delivery, ReceiverResponse
from darkroom.domain.case import Case
from darkroom.domain.history import RunLog
from darkroom.domain.job import Job
from darkroom.domain.metrics import Tally, Totals, Window
from darkroom.domain.quota import QuotaState
from darkroom.domain.run import WorkOrder
from darkroom.domain.snapshot import Snapshot

type Clock = Callable[[], int]
"""Now, in epoch milliseconds."""

type NewId = Callable[[], str]
"""A fresh id that nobody can guess."""

type Jitter = Callable[[], float]
"""A random number in [0, 1)."""


class JobStore(Protocol):
    """Where jobs and the cases they were made from are kept."""

    def create(self, job: Job, case: Case) -> bool:
        """Store both or neither; False when the case has a job already. Raises CaseTooLarge, Busy."""

    def check_size(self, job: Job, case: Case) -> None:
        """Raise CaseTooLarge when the two are too large to be stored."""

    def get(self, case_id: str) -> Job:
        """The latest version, never a stale one; raises JobNotFound."""

    def get_case(self, job: Job) -> Case:
        """What was submitted; raises JobNotFound."""

    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        """Replace the version before `job`'s; raises Contention when that is not the stored one.

        Raises CaseTooLarge, having stored nothing, when it would not fit; Busy.

        With something `beside` it both are stored or neither: the case of a new revision or of a
        replaced job, or what a run has told of itself.
        """

    def run_logs(self, job: Job) -> Sequence[RunLog]:
        """What the latest runs of `job` have told, in their order; those that told nothing are left out.

        Raises Contention.
        """

    def due(self, now: int, limit: int) -> Sequence[str]:
        """Return the case ids of at most `limit` jobs with `due_at` <= `now`, the longest overdue first."""


class DailyLimit(Protocol):
    """Number of cases that each caller may submit, or retry at a price, on one day."""

    def take(self, caller: str, now: int) -> None:
        """Count one more case of `caller`; raises DailyLimitReached when that would be too many."""


class CounterStore(Protocol):
    """Where it is counted what became of jobs."""

    def add(self, job: Job, tally: Tally, *, at: int) -> bool:
        """Count `tally` at that time, once for each version of a job: False when it was before.

        Raises Contention.
        """

    def totals(self, window: Window, *, now: int) -> Totals:
        """What was counted in the window up to `now`; raises Contention."""


class WorkerInvoker(Protocol):
    """Starts workers."""

    def invoke(self, order: WorkOrder) -> None:
        """Hand `order` to a worker, at least once, soon; raises InvokeRefused."""


class SnapshotChannel(Protocol):
    """Takes a worker's snapshots to the webhook."""

    async def send(self, snapshot: Snapshot, url: str) -> None:
        """Deliver once; raises Superseded or Cancelled when the run must stop, else Undeliverable."""


@dataclass(frozen=True, kw_only=True)
class RawImage:
    """What a provider answered: undecoded bytes, and which model made them."""

    data: bytes
    mime: str
    model: str


@dataclass(frozen=True, kw_only=True)
class StoredQuota:
    """An state as it was stored, and which version of each of its parts."""

    image_model: str
    state: QuotaState
    versions: tuple[int, ...]
    """Of the quota, then of each budget; 0 when there is none yet."""


class QuotaStore(Protocol):
    """Where all workers' quotas and budgets are kept."""

    async def load(self, image_model: str, budgets: Mapping[str, int]) -> StoredQuota:
        """The state of `image_model` with `budgets` (name → limit in micro-USD); never a stale one.

        What nobody has stored yet is empty. Raises Contention while it is being written, StorageFailed.
        """

    async def save(self, stored: StoredQuota, state: QuotaState) -> None:
        """Replace all that changed or nothing; raises Contention when `kept` is not the stored one.

        Raises StorageFailed when it is not known whether it was stored.
        """


class ImageProvider(Protocol):
    """Makes pictures."""

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        """One picture; raises ShotError. Being cancelled must end the request."""


class ImageProcessor(Protocol):
    """Turns what a provider answered into what a player sees."""

    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        """A JPEG of the size and quality of this deployment that tells `facts`; raises BadImage."""


class ImageStore(Protocol):
    """Where a worker puts pictures."""

    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        """Store it durably before returning; raises StorageFailed."""

    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        """The keys of all pictures of a job; raises StorageFailed."""


class ImageIndex(Protocol):
    """What is stored, for those that do not wait for several things at once."""

    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        """The keys of all pictures of a job; raises StorageFailed."""


class Outbox(Protocol):
    """What callers' receivers are to be told, and what became of it."""

    def add(self, delivery: Delivery) -> bool:
        """Store it; False when there is one of this version of the job already."""

    def get(self, case_id: str, job_id: str, version: int) -> Delivery:
        """The delivery, never a stale one; raises DeliveryNotFound."""

    def save(self, delivery: Delivery, *, over: Delivery) -> None:
        """Replace `over`; raises Contention when that is not the stored one."""

    def due(self, now: int, limit: int) -> Sequence[tuple[str, str, int]]:
        """Case id, job id and version of at most `limit` that are due, the longest overdue first."""

    def of_job(self, job: Job) -> Sequence[Delivery]:
        """The latest deliveries of `job`, in the order of their versions; raises Contention."""

    def set_gone(self, delivery: Delivery) -> None:
        """Its receiver wants no more of its job."""

    def is_gone(self, delivery: Delivery) -> bool:
        """Whether it has said so, to this delivery or another of the job."""


class DelivererInvoker(Protocol):
    """Starts deliverers."""

    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        """Have a delivery tried, at least once, soon; raises InvokeRefused."""


class CallbackSender(Protocol):
    """Reaches callers' receivers."""

    def send(self, delivery: Delivery) -> ReceiverResponse:
        """Try once; every failure is an answer."""
