"""A table of a million open jobs, of which some are due: what a sweep of it asks for.

It stands behind the real client and answers the requests that the sweeper makes as DynamoDB would, from
counts instead of a million items. All jobs are open, so that the index is as large as it can be.
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
from bench.usage.whole_case import Whole, deployed
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
"""Its worker was lost."""


@dataclass
class Million:
    """Each job is due 1 ms after the one before; the first `due` of them by now."""

    due: int
    jobs: int = JOBS
    moved: dict[str, Item] = field(default_factory=dict)
    """What was saved since. Nothing of it is due again, or the sweep would be wrong."""
    _shards: list[array[int]] = field(default_factory=lambda: [array("q") for _ in range(SHARDS)])

    def __post_init__(self) -> None:
        for n in range(self.jobs):
            self._shards[int(due_shard(f"case-{n}"))].append(n)

    def answer(self, model: Any, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        """In place of the network; an operation that is not here is a KeyError."""
        asked = json.loads(params["body"])
        answers = {"Query": self._query, "GetItem": self._get, "PutItem": self._put}
        return AWSResponse("", 200, HTTPHeaders(), None), answers[model.name](asked)

    def _due_at(self, n: int) -> int:
        return START - self.due + n if n < self.due else START + 60_000 + n

    def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        shard, now = (asked["ExpressionAttributeValues"][name] for name in (":shard", ":now"))
        if not shard["S"].isdigit():  # of callbacks there are none
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
                for n in numbers[: min(end, asked["Limit"])]
            ]
        }

    def _get(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = asked["Key"]["pk"]["S"]
        _, case_id, kind, *_ = key.split(":")
        if kind == "image-request":
            return {"Item": to_item(case_attributes(replace(_JOB, case_id=case_id), _CASE))}
        if key in self.moved:
            return {"Item": self.moved[key]}
        due_at = self._due_at(int(case_id.removeprefix("case-")))
        return {"Item": to_item(job_attributes(replace(_JOB, case_id=case_id, due_at=due_at)))}

    def _put(self, asked: dict[str, Any]) -> dict[str, Any]:
        item = asked["Item"]
        assert int(item["dueAt"]["N"]) > START, "due again at once"
        n = int(item["caseId"]["S"].removeprefix("case-"))
        self._shards[int(item["dueShard"]["S"])].remove(n)
        self.moved[item["pk"]["S"]] = item
        return {}

    @contextmanager
    def behind_the_client(self) -> Iterator[None]:
        """Meanwhile it is the table that the client reaches."""
        events = clients.dynamodb().meta.events
        answer: Callable[..., Any] = self.answer
        events.register("before-call.dynamodb", answer, unique_id="million")
        try:
            yield
        finally:
            events.unregister("before-call.dynamodb", unique_id="million")


def sweeps(due: int, jobs: int = JOBS) -> list[Meter]:
    """What each sweep counted, until one found nothing: that one is the last."""
    table = Million(due, jobs)
    counted: list[Meter] = []
    with deployed() as whole:
        while not counted or counted[-1].total("Invoke"):
            counted.append(_sweep(whole, table))
    assert len(table.moved) == due
    return counted


def _sweep(whole: Whole, table: Million) -> Meter:
    whole.functions.load("sweeper")
    before = whole.meter.counts.copy()
    with table.behind_the_client():
        whole.invoke("sweeper", {})
    return Meter(counts=whole.meter.counts - before)


def rows() -> Iterator[str]:
    """The table: a million jobs, of which so many are due."""
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
