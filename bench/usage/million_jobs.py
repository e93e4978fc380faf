"""Count the requests of sweeps over a table of a million open jobs, of which some are due.

A fake table behind the real client responds to the sweeper's requests like DynamoDB, from counts instead of a
million items. All jobs are open, so the index has its largest size.
"""

import bisect
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.items import SHARDS, case_attributes, due_shard, job_attributes
from darkroom.adapters.dynamodb.table import to_item
from darkroom.domain.job import Status, open_job
from darkroom.domain.timing import Timing

from bench.speed.worker import START
from bench.usage.dynamodb_units import Item
from bench.usage.request_meter import ENTRIES, INDEX, INVOCATIONS, READ, WRITE, Meter
from bench.usage.whole_case import MeteredDeployment, metered_deployment
from bench.usage.worker_lifetimes import a_case

JOBS = 1_000_000
_REQUESTS = ("Query", "GetItem", "PutItem", "ListObjectsV2", "Invoke")
_CASE = a_case(14, 0)
_JOB = replace(
    open_job(
        _CASE,
        job_id="0f8fad5bd9cb469fa16570867728950e",
        salt="0f8fad5bd9cb469fa165708677289510",
        now=START - 600_000,
        timing=Timing(),
    ),
    status=Status.GENERATING,
    claim="0f8fad5bd9cb469fa16570867728950f",
    lease_until=START - 1000,
    started_at=START - 600_000,
)
"""A job whose worker was lost."""


@dataclass
class MillionJobs:
    """A table in which each job is due 1 ms after the one before; the first `due` jobs are due now."""

    due: int
    jobs: int = JOBS
    moved: dict[str, Item] = field(default_factory=dict)
    """Key → item of the jobs that the sweeper saved. None of them may be due again."""
    _shards: list[array[int]] = field(default_factory=lambda: [array("q") for _ in range(SHARDS)])

    def __post_init__(self) -> None:
        for n in range(self.jobs):
            self._shards[int(due_shard(f"case-{n}"))].append(n)

    def respond(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """Respond to a request in place of the network; raise KeyError for an unknown operation."""
        operations = {"Query": self._query, "GetItem": self._get, "PutItem": self._put}
        return AWSResponse("", 200, HTTPHeaders(), None), operations[model.name](json.loads(params["body"]))

    def _due_at(self, n: int) -> int:
        return START - self.due + n if n < self.due else START + 60_000 + n

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        shard, now = (body["ExpressionAttributeValues"][name] for name in (":shard", ":now"))
        if not shard["S"].isdigit():  # there are no callbacks
            return {"Items": []}
        numbers = self._shards[int(shard["S"])]
        end = bisect.bisect_right(numbers, int(now["N"]), key=self._due_at)
        return {
            "Items": [
                {
                    "pk": {"S": f"case:case-{n}:image-job"},
                    "dueShard": shard,
                    "dueAt": {"N": str(self._due_at(n))},
                }
                for n in numbers[: min(end, body["Limit"])]
            ]
        }

    def _get(self, body: dict[str, Any]) -> dict[str, Any]:
        key = body["Key"]["pk"]["S"]
        _, case_id, kind, *_ = key.split(":")
        if kind == "image-request":
            return {"Item": to_item(case_attributes(replace(_JOB, case_id=case_id), _CASE))}
        if key in self.moved:
            return {"Item": self.moved[key]}
        due_at = self._due_at(int(case_id.removeprefix("case-")))
        return {"Item": to_item(job_attributes(replace(_JOB, case_id=case_id, due_at=due_at)))}

    def _put(self, body: dict[str, Any]) -> dict[str, Any]:
        item = body["Item"]
        assert int(item["dueAt"]["N"]) > START, "due again at once"
        n = int(item["caseId"]["S"].removeprefix("case-"))
        self._shards[int(item["dueShard"]["S"])].remove(n)
        self.moved[item["pk"]["S"]] = item
        return {}

    @contextmanager
    def behind_the_client(self) -> Iterator[None]:
        """Connect the client to this table while the block runs."""
        events = clients.dynamodb().meta.events
        respond: Callable[..., Any] = self.respond
        events.register("before-call.dynamodb", respond, unique_id="million")
        try:
            yield
        finally:
            events.unregister("before-call.dynamodb", unique_id="million")


def sweeps(due: int, jobs: int = JOBS) -> list[Meter]:
    """Sweep until nothing is due; return the counts of each sweep, also of the last, which found nothing."""
    table = MillionJobs(due, jobs)
    counted: list[Meter] = []
    with metered_deployment() as metered:
        while not counted or counted[-1].total("Invoke"):
            counted.append(_sweep(metered, table))
    assert len(table.moved) == due
    return counted


def _sweep(metered: MeteredDeployment, table: MillionJobs) -> Meter:
    metered.functions.load("sweeper")
    before = metered.meter.counts.copy()
    with table.behind_the_client():
        metered.invoke("sweeper", {})
    return Meter(counts=metered.meter.counts - before)


def rows() -> Iterator[str]:
    """Yield the table of sweeps over a million jobs, by the number that is due."""
    yield f"{'due':>6} {'sweeps':>7} | {'queries':>8} {'entries':>8} {'read':>7} {'written':>8} | requests"
    for due in (0, 10, 1000):
        counted = sweeps(due)
        busy = counted[:-1] or counted
        total = Meter(counts=sum((each.counts for each in busy), Counter()))
        assert total.total(INVOCATIONS) == len(busy)
        yield (
            f"{due:6d} {len(busy):7d} | {total.total('Query'):8.0f} {total.total(ENTRIES):8.0f}"
            f" {total.total(READ):7.1f} {total.total(WRITE, INDEX):8.0f} | {total.total(*_REQUESTS):8.0f}"
        )
