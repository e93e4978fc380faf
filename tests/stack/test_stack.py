"""Whole cases on the emulator: real processes, real HTTP, the real template."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.signing import standard_webhooks
from darkroom.domain.job import open_job
from darkroom.domain.timing import Timing
from darkroom.wire.model import parse
from darkroom.wire.requests import SubmitRequest
from darkroom_client import Job
from PIL import Image
from rich.console import Console

from local import package
from local.run_case import run_case
from tests.stack.conftest import Api, a_case

CASE = package.ROOT / "events" / "case.json"


@pytest.fixture(autouse=True)
def _default_provider(api: Api) -> Iterator[None]:
    yield
    api.configure_provider()


def test_the_demo_makes_all_pictures(api: Api, tmp_path: Path) -> None:
    before = api.provider_stats()["requests"]
    job = run_case(api.stack.api_url, api.stack.token, CASE, tmp_path, Console(quiet=True))
    folder = tmp_path / "the-drowned-clockmaker"
    assert job.status == "completed"
    pictures = sorted(path.name for path in folder.glob("*.jpg"))
    ids = [*(f"evidence-{i}" for i in range(1, 11)), *(f"location-{i}" for i in range(1, 5))]
    assert pictures == sorted(f"{i}.jpg" for i in ids)
    for name in pictures:
        image = Image.open(io.BytesIO((folder / name).read_bytes()))
        assert (image.size, image.format, image.info.get("progressive")) == ((512, 512), "JPEG", 1)
    assert Job.model_validate_json((folder / "job.json").read_text()) == job
    assert Image.open(io.BytesIO((folder / "contact-sheet.png").read_bytes())).width > 1500
    assert api.provider_stats()["requests"] - before == 14
    assert job.cost_usd == pytest.approx(14 * 0.0336)


def test_submit_returns_before_any_picture_is_made(api: Api) -> None:
    api.configure_provider(latency_median=3, latency_p95=3.1)
    response = api.call("POST", "/api/generate-case-images", json=a_case("at-once"))
    assert response.status_code == 202
    assert (response.json()["status"], response.json()["completedImages"]) == ("pending", 0)
    assert response.headers["location"] == f"{api.stack.api_url}/api/cases/at-once/image-job"
    assert api.ended("at-once")["status"] == "completed"


def test_the_sweeper_finishes_a_job_whose_initiator_died_before_the_invoke(api: Api) -> None:
    case = parse(SubmitRequest, json.dumps(a_case("orphan")).encode()).to_case()
    long_ago = int(time.time() * 1000) - 200_000
    jobs = DynamoDBJobs(api.stack.client("dynamodb"), api.stack.table)
    jobs.create(open_job(case, job_id="0" * 32, salt="salt", now=long_ago, timing=Timing()), case)
    assert api.job("orphan")["status"] == "pending"

    swept = api.stack.client("lambda").invoke(FunctionName=api.stack.sweeper, Payload=b"{}")
    assert "orphan" in json.loads(swept["Payload"].read())["rescheduled"]

    job = api.ended("orphan")
    assert (job["status"], job["run"], job["retryCount"]) == ("completed", 2, 1)


def test_the_schedule_runs_the_sweeper(api: Api) -> None:
    events = api.stack.client("events")
    [rule] = [r for r in events.list_rules()["Rules"] if r.get("ScheduleExpression")]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert api.stack.sweeper in target["Arn"]


def test_a_refused_picture_leaves_a_partial_case_with_the_reason(api: Api) -> None:
    api.configure_provider(script={"Key 1 of partial": ["safety"]})
    api.call("POST", "/api/generate-case-images", json=a_case("partial"))
    job = api.ended("partial")
    assert (job["status"], job["completedImages"], job["failedIds"]) == ("partial", 2, ["e-1"])
    assert job["errors"]["e-1"]["code"] == "refused"
    old = api.call("GET", "/api/cases/partial/image-status").json()
    assert old == {"status": "partial", "completedAt": job["completedAt"]}


def test_a_temporary_fault_costs_another_request_and_no_picture(api: Api) -> None:
    api.configure_provider(script={"Key 0 of bumpy": ["503"], "Key 1 of bumpy": ["truncated"]})
    before = api.provider_stats()["requests"]
    api.call("POST", "/api/generate-case-images", json=a_case("bumpy"))
    assert api.ended("bumpy")["status"] == "completed"
    assert api.provider_stats()["requests"] - before == 5


def test_the_same_case_submitted_again_makes_no_request(api: Api) -> None:
    accepted = api.call("POST", "/api/generate-case-images", json=a_case("twice")).json()
    first = api.ended("twice")
    before = api.provider_stats()["requests"]
    again = api.call("POST", "/api/generate-case-images", json=a_case("twice"))
    assert again.status_code == 200
    assert {k: v for k, v in again.json().items() if k not in ("shareUrl", "statusUrl")} == first
    assert again.json()["statusUrl"] == accepted["statusUrl"]
    other = api.call("POST", "/api/generate-case-images", json=a_case("twice", count=2))
    assert (other.status_code, other.json()["code"]) == (409, "case_conflict")
    assert api.provider_stats()["requests"] == before


def test_a_picture_can_be_fetched_with_its_link_alone(api: Api) -> None:
    api.call("POST", "/api/generate-case-images", json=a_case("linked", count=1))
    [link] = api.ended("linked")["evidenceImages"].values()
    response = api.http.get(link, follow_redirects=True)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(response.content)).size == (512, 512)
    assert api.http.get(link.replace("?s=", "?s=x")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/generate-case-images", "{", 400, "invalid_input"),
        ("POST", "/api/generate-case-images", "{}", 400, "invalid_input"),
        ("POST", "/api/generate-case-images", " " * 262_145, 413, "body_too_large"),
        ("GET", "/api/generate-case-images", None, 405, "method_not_allowed"),
        ("PUT", "/api/webhook/image-progress", "{}", 405, "method_not_allowed"),
        ("GET", "/api/nowhere", None, 404, "route_not_found"),
        ("GET", "/api/cases/unknown/image-job", None, 404, "job_not_found"),
        ("GET", "/api/cases/unknown/image-status", None, 404, "job_not_found"),
        ("POST", "/api/webhook/image-progress", "{}", 401, "bad_signature"),
    ],
)
def test_every_error_is_a_problem(
    api: Api, method: str, path: str, body: str | None, status: int, code: str
) -> None:
    response = api.call(method, path, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_replayed_snapshot_changes_nothing(api: Api) -> None:
    api.call("POST", "/api/generate-case-images", json=a_case("replayed"))
    job = api.ended("replayed")
    claim = {
        "caseId": "replayed",
        "jobId": job["jobId"],
        "run": 1,
        "claim": "a-strangers-claim",
        "sequence": 1,
        "kind": "claim",
        "status": "generating",
        "completedImages": 0,
        "totalImages": 3,
        "evidenceImages": {},
        "locationImages": {},
        "failedIds": [],
        "errors": {},
    }
    body = json.dumps(claim).encode()
    headers = standard_webhooks.sign(
        api.stack.webhook_secret, message_id="m", timestamp_s=int(time.time()), body=body
    )
    response = api.call("POST", "/api/webhook/image-progress", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (409, "superseded")
    assert api.job("replayed") == job


def test_the_description_is_served(api: Api) -> None:
    assert api.call("GET", "/api/openapi.json").json()["info"]["title"] == "Darkroom"


def a_demo(*arguments: str) -> subprocess.Popen[str]:
    config = json.dumps({"latency_median": 0.2, "latency_p95": 0.4})
    return subprocess.Popen(
        [sys.executable, "-m", "local.demo", "--case", CASE, "--provider", config, *arguments],
        cwd=package.ROOT,
        env={name: value for name, value in os.environ.items() if name != "GEMINI_API_KEY"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def children_of(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def test_an_interrupted_demo_stops_everything_it_started(tmp_path: Path) -> None:
    demo = a_demo("--out", str(tmp_path))
    assert demo.stdout is not None
    for line in demo.stdout:
        if "The API is at" in line:
            break
    [pgid] = children_of(demo.pid)  # the emulator leads a process group with all its workers
    demo.send_signal(signal.SIGINT)
    rest = demo.communicate(timeout=20)[0]
    assert demo.returncode == 130
    assert "Interrupted" in rest
    with pytest.raises(ProcessLookupError):
        os.killpg(pgid, 0)


def test_a_demo_of_an_invalid_case_says_why(tmp_path: Path) -> None:
    wrong = tmp_path / "case.json"
    wrong.write_text('{"caseId": "x"}')
    demo = a_demo("--case", str(wrong), "--out", str(tmp_path))
    printed = demo.communicate(timeout=60)[0]
    assert demo.returncode == 2
    assert "1 to 100 items" in printed


def test_a_case_costs_no_more_than_its_caller_allows(api: Api) -> None:
    case = {**a_case("cheap"), "maxCostUsd": 0.07}
    assert api.call("POST", "/api/generate-case-images", json=case).status_code == 202
    job = api.ended("cheap")
    assert (job["status"], job["completedImages"], job["costUsd"], job["maxCostUsd"]) == (
        "partial",
        2,
        0.0672,
        0.07,
    )
    assert {error["code"] for error in job["errors"].values()} == {"budget_exhausted"}
    again = api.call("POST", "/api/cases/cheap/image-job/retry", json={"maxCostUsd": 5})
    assert again.status_code == 202
    assert api.ended("cheap")["status"] == "completed"


def test_the_starts_of_all_workers_are_counted_in_one_item(api: Api) -> None:
    def started() -> int:
        key = {"pk": {"S": "quota:gemini/gemini-nano-banana-2.1"}}
        item = api.stack.client("dynamodb").get_item(TableName=api.stack.table, Key=key).get("Item", {})
        counts = [int(n["N"]) for n in item.get("starts", {"L": []})["L"]][1::2]
        return sum(counts)

    before = started()
    api.call("POST", "/api/generate-case-images", json=a_case("counted")).raise_for_status()
    total = api.ended("counted")["totalImages"]
    assert started() == before + total
