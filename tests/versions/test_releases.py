"""Each release reads what the others store and send, and keeps what it does not know."""

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from darkroom import settings
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.items import job_attributes, job_from_item
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.adapters.dynamodb.quota import DynamoDBQuota
from darkroom.adapters.dynamodb.table import to_item
from darkroom.domain.errors import Unreadable
from darkroom.domain.history import Action
from darkroom.domain.job import Status
from darkroom.domain.job_history import with_history
from darkroom.domain.run import Ending, is_supported
from darkroom.domain.snapshot import SnapshotKind, apply
from darkroom.wire.job import JobView
from darkroom.wire.model import parse
from darkroom.wire.order import WorkerEvent
from darkroom.wire.snapshot import ImageProgressUpdate
from darkroom.wire.timeline import TimelineView
from moto import mock_aws

from local import package
from testing.builders import NOW, TIMING, keys_of
from testing.deliveries import a_delivery
from testing.tables import create_table
from testing.worker import WorkerWorld
from tests.versions.records import (
    CASE,
    FOLDER,
    READERS,
    VERSION,
    a_recorded_job,
    a_recorded_log,
    a_recorded_order,
    a_recorded_snapshot,
    read,
    written,
)

RELEASES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir() and path.name[0].isdigit())
IS_RELEASED = f"## {VERSION} - unreleased" not in (package.ROOT / "CHANGELOG.md").read_text()
plain = TypeDeserializer().deserialize
typed = TypeSerializer().serialize

# ---- this release and those before it ----


def test_the_folder_of_the_current_version_exists() -> None:
    assert f'version = "{VERSION}"' in (package.ROOT / "layers/darkroom/pyproject.toml").read_text()
    assert VERSION in RELEASES


@pytest.mark.parametrize("name", written())
def test_this_release_writes_what_is_recorded_for_its_version(name: str) -> None:
    advice = "a released record may not change" if IS_RELEASED else "run python -m tests.versions.records"
    assert read(VERSION, name) == json.loads(json.dumps(written()[name])), advice


@pytest.mark.parametrize("version", RELEASES)
@pytest.mark.parametrize("name", READERS)
def test_this_release_reads_what_every_release_has_written(version: str, name: str) -> None:
    assert READERS[name](read(version, name)) is not None


def test_what_is_recorded_is_read_back_whole() -> None:
    assert READERS["job"](read(VERSION, "job")) == a_recorded_job()
    assert READERS["case"](read(VERSION, "case")) == CASE
    assert READERS["run-log"](read(VERSION, "run-log")) == a_recorded_log()
    assert READERS["order"](read(VERSION, "order")) == a_recorded_order()
    for kind in SnapshotKind:
        assert READERS[f"snapshot-{kind}"](read(VERSION, f"snapshot-{kind}")) == a_recorded_snapshot(kind)


def test_a_release_creates_or_deletes_at_most_one_index_of_the_table() -> None:
    """CloudFormation refuses more in one update. Before the first release a table is made anew."""
    indexes = [
        {one["IndexName"] for one in read(version, "table")["GlobalSecondaryIndexes"]} for version in RELEASES
    ]
    for before, after in pairwise(indexes):
        assert len(before ^ after) <= 1


# ---- the next release ----


def next_job_item() -> dict[str, Any]:
    """Return the item of a job as a made-up next release stores it: with more of everything."""
    item = {name: plain(value) for name, value in read(VERSION, "job").items()}
    item |= {"style": "watercolour", "tags": {"a", "b"}, "ratio": {"w": 3, "h": 4}, "blob": b"\x00\x01"}
    item["shots"] = [shot | {"take": 2} for shot in item["shots"]]
    item["shots"].append({"id": "portrait-1", "kind": "portrait", "name": "Ada", "digest": "0" * 16})
    item["history"] = [[*entry, "more"] for entry in item["history"]] + [[NOW, "redrawn", 3, "game", 7]]
    item["failures"] = {shot_id: failure | {"hint": "x"} for shot_id, failure in item["failures"].items()}
    item["receiver"] |= {"format": "v2", "events": [*item["receiver"]["events"], "image-job.redrawn"]}
    return {name: typed(value) for name, value in item.items()}


def restored(item: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}


def test_a_job_of_the_next_release_comes_back_whole() -> None:
    item = next_job_item()
    assert restored(to_item(job_attributes(job_from_item(item)))) == restored(item)


def test_what_is_unknown_survives_a_transition_and_a_save() -> None:
    with mock_aws():
        create_table(clients.dynamodb(), "jobs")
        clients.dynamodb().put_item(TableName="jobs", Item=next_job_item())
        jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
        job = jobs.get("case-1")
        recorded = a_recorded_snapshot(SnapshotKind.PROGRESS)
        snapshot = replace(recorded, sequence=9, total=4, sent_at=NOW + 3)
        merged = apply(job, snapshot, now=NOW, timing=TIMING)
        jobs.save(with_history(job, merged, at=NOW, by="worker"))
        stored = restored(
            clients.dynamodb().get_item(TableName="jobs", Key={"pk": {"S": "case:case-1:image-job"}})["Item"]
        )
    assert (stored["style"], stored["tags"], stored["ratio"]) == ("watercolour", {"a", "b"}, {"w": 3, "h": 4})
    assert [shot["kind"] for shot in stored["shots"]] == ["evidence", "evidence", "location", "portrait"]
    assert stored["shots"][0]["take"] == 2
    assert stored["history"][-1] == [NOW, "redrawn", 3, "game", 7]
    assert stored["receiver"]["format"] == "v2"


def test_a_known_attribute_that_is_left_out_does_not_come_back() -> None:
    job = replace(job_from_item(next_job_item()), processing=None, suspicion=None)
    assert not {"processing", "suspicion"} & to_item(job_attributes(job)).keys()


def test_unknown_words_are_shown_as_they_are() -> None:
    job = job_from_item(next_job_item())
    view = JobView.of(job, str)
    assert [item.id for item in view.evidence] == ["evidence-1", "evidence-2", "portrait-1"]
    timeline = TimelineView.of(job, [])
    assert [entry.action for entry in timeline.history] == [Action.SUBMITTED, Action.SUSPECTED, "redrawn"]


def next_snapshot(**changes: Any) -> bytes:
    record = read(VERSION, "snapshot-progress")
    record |= {"takes": {"evidence-1": 2}, "images": {"portrait-1": "a-key"}, "completedImages": 2}
    record["log"]["events"] = [
        [*record["log"]["events"][0], "more"],
        ["upload", 0, 1, "x", None, None, 0, 0, 1],
    ]
    return json.dumps(record | changes).encode()


def test_a_snapshot_of_the_next_release_is_read() -> None:
    snapshot = parse(ImageProgressUpdate, next_snapshot()).to_snapshot()
    assert snapshot.images == {**keys_of(CASE, "evidence-1", run=3), "portrait-1": "a-key"}
    assert [event.kind for event in snapshot.events] == ["attempt", "upload"]


def test_a_snapshot_of_an_unknown_kind_is_merged_like_progress() -> None:
    body = next_snapshot(kind="redraw", status="redrawing", images={}, completedImages=1, sequence=9)
    snapshot = parse(ImageProgressUpdate, body).to_snapshot()
    job = replace(a_recorded_job(), suspicion=None, images={})
    merged = apply(job, snapshot, now=NOW, timing=TIMING)
    assert (merged.status, set(merged.images)) == (Status.GENERATING, {"evidence-1"})


@pytest.mark.parametrize(
    "change",
    [
        {"requires": ["style"]},
        {"kind": "poll"},
        {"evidence": [{"id": "p", "name": "n", "description": "d", "digest": "0" * 16, "kind": "portrait"}]},
    ],
    ids=str,
)
def test_an_order_that_needs_more_is_refused_before_the_claim(change: dict[str, Any]) -> None:
    record = read(VERSION, "order") | {"more": 1, "claimBefore": NOW + 60_000} | change
    order = parse(WorkerEvent, record).to_order()
    assert not is_supported(order)
    world = WorkerWorld()
    report = world.run_job(order)
    assert (report.ending, world.channel.sent, world.provider.prompts) == (Ending.UNSUPPORTED, [], [])


def test_an_order_with_unknown_fields_is_run() -> None:
    record = read(VERSION, "order") | {"more": 1, "claimBefore": NOW + 60_000, "done": {}, "failed": {}}
    assert WorkerWorld().run_job(parse(WorkerEvent, record).to_order()).ending is Ending.ENDED


def test_a_delivery_of_the_next_release_comes_back_whole() -> None:
    with mock_aws():
        create_table(clients.dynamodb(), "jobs")
        outbox = DynamoDBOutbox(clients.dynamodb(), "jobs")
        delivery = replace(a_delivery(), event="image-job.redrawn", state="paused", unknown={"format": "v2"})
        outbox.add(delivery)
        assert outbox.get(*delivery.key) == delivery


def test_a_quota_and_a_budget_of_the_next_release_come_back_whole() -> None:
    with mock_aws():
        create_table(clients.dynamodb(), "jobs")
        clients.dynamodb().put_item(
            TableName="jobs", Item={"pk": {"S": "quota:m"}, "version": {"N": "1"}, "promised": {"N": "7"}}
        )
        clients.dynamodb().put_item(
            TableName="jobs", Item={"pk": {"S": "budget:b"}, "version": {"N": "1"}, "owner": {"S": "game"}}
        )
        store = DynamoDBQuota(clients.dynamodb(), "jobs")

        async def take() -> None:
            stored = await store.load("m", {"b": 100})
            [budget] = stored.state.budgets
            changed = replace(
                stored.state,
                quota=replace(stored.state.quota, last_at=NOW),
                budgets=(replace(budget, spent=5),),
            )
            await store.save(stored, changed)

        asyncio.run(take())
        found = {
            item["pk"]["S"]: restored(item) for item in clients.dynamodb().scan(TableName="jobs")["Items"]
        }
    assert (found["quota:m"]["promised"], found["quota:m"]["lastAt"]) == (7, NOW)
    assert (found["budget:b"]["owner"], found["budget:b"]["spent"]) == ("game", 5)


# ---- what nobody can read ----

BROKEN = [
    {"status": {"S": "paused"}},
    {"shots": {"S": "none"}},
    {"images": {"L": []}},
    {"history": {"L": [{"S": "x"}]}},
    {"deadlineAt": None},
]


@pytest.mark.parametrize("change", BROKEN, ids=str)
def test_a_job_that_nobody_can_read_is_an_error_of_its_own(change: dict[str, Any]) -> None:
    item = read(VERSION, "job") | change
    with pytest.raises(Unreadable, match="case:case-1:image-job"):
        job_from_item({name: value for name, value in item.items() if value is not None})


def test_the_settings_name_no_version() -> None:
    assert "version" not in Path(settings.__file__).read_text().lower()
