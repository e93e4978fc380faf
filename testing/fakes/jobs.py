"""The fakes around jobs: their store, the daily limit, and the start of workers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import override

from darkroom.adapters.dynamodb.item_size import check_size
from darkroom.adapters.dynamodb.items import case_attributes
from darkroom.adapters.dynamodb.table import to_item
from darkroom.domain.case import Case
from darkroom.domain.errors import Contention, DailyLimitReached, InvokeRefused, JobNotFound
from darkroom.domain.job import Job
from darkroom.domain.run import RunLog, WorkOrder
from darkroom.ports import DailyLimit, JobStore, WorkerInvoker


class MemoryJobs(JobStore):
    """A store of jobs in memory."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.cases: dict[tuple[str, str, int], Case] = {}
        self.logs: dict[tuple[str, str, int], RunLog] = {}
        self.lost_writes = 0
        """Number of the next saves that fail because somebody else was faster."""

    @override
    def create(self, job: Job, case: Case) -> bool:
        if job.case_id in self.jobs:
            return False
        self.check_size(job, case)
        self.jobs[job.case_id] = job
        self.cases[_case_key(job)] = case
        return True

    @override
    def check_size(self, job: Job, case: Case) -> None:
        check_size(to_item(case_attributes(job, case)))

    @override
    def get(self, case_id: str) -> Job:
        if case_id not in self.jobs:
            raise JobNotFound("no job exists for this case")
        return self.jobs[case_id]

    @override
    def get_case(self, job: Job) -> Case:
        if _case_key(job) not in self.cases:
            raise JobNotFound("no job exists for this case")
        return self.cases[_case_key(job)]

    @override
    def save(self, job: Job, beside: Case | RunLog | None = None) -> None:
        stored = self.jobs.get(job.case_id)
        if self.lost_writes and stored is not None:
            self.lost_writes -= 1
            self.jobs[job.case_id] = stored = replace(stored, version=stored.version + 1)
        if stored is None or stored.version != job.version - 1:
            raise Contention("somebody else changed the job")
        if isinstance(beside, RunLog):
            key = (beside.case_id, beside.job_id, beside.run)
            if key in self.logs and self.logs[key].sequence >= beside.sequence:
                raise Contention("somebody else changed the job")
            self.logs[key] = beside
        elif beside is not None:
            self.check_size(job, beside)
            self.cases[_case_key(job)] = beside
        self.jobs[job.case_id] = job

    @override
    def run_logs(self, job: Job) -> Sequence[RunLog]:
        runs = sorted(log.run for log in self.logs.values() if log.job_id == job.job_id)
        return [self.logs[job.case_id, job.job_id, run] for run in runs if run > job.run - 20]

    @override
    def due(self, now: int, limit: int) -> Sequence[str]:
        found = sorted((j.next_look_at, j.case_id) for j in self.jobs.values() if j.next_look_at is not None)
        return [case_id for due_at, case_id in found if due_at <= now][:limit]


def _case_key(job: Job) -> tuple[str, str, int]:
    return job.case_id, job.job_id, job.revision


@dataclass
class MemoryDailyLimit(DailyLimit):
    """A daily limit in memory; 0 is no limit."""

    limit: int = 0
    taken: dict[tuple[str, int], int] = field(default_factory=dict)

    @override
    def take(self, caller: str, now: int) -> None:
        if not self.limit:
            return
        day, since_midnight = divmod(now // 1000, 86_400)
        if self.taken.get((caller, day), 0) >= self.limit:
            raise DailyLimitReached("enough for today", seconds=86_400 - since_midnight)
        self.taken[caller, day] = self.taken.get((caller, day), 0) + 1


@dataclass
class RecordedWorkers(WorkerInvoker):
    """A WorkerInvoker that keeps the orders."""

    orders: list[WorkOrder] = field(default_factory=list)
    refusing: bool = False

    @override
    def invoke(self, order: WorkOrder) -> None:
        if self.refusing:
            raise InvokeRefused("the worker could not be started: TooManyRequestsException")
        self.orders.append(order)
