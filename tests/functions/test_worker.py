"""The worker, with S3 on moto, the fake provider over HTTP, and the real webhook function behind HTTP."""

import io
import json

import pytest
from darkroom.adapters import aws as clients
from PIL import Image

from local import fake_gemini
from testing.function_calls import FAST, run_worker
from testing.functions import VALUES, Functions, event


def test_a_worker_makes_the_pictures_of_a_case(functions: Functions) -> None:
    result = run_worker(functions, FAST)
    assert result.pop("duration") >= 0
    assert result == {
        "success": True,
        "caseId": "case-42",
        "status": "completed",
        "completedImages": 3,
        "totalImages": 3,
    }
    job = functions.call("reader", event("reader")).json
    assert (job["status"], job["completedImages"], job["costUsd"]) == ("completed", 3, 0.1008)
    stored = clients.s3().list_objects_v2(Bucket="pictures")["Contents"]
    assert len(stored) == 3
    for item in stored:
        picture = clients.s3().get_object(Bucket="pictures", Key=item["Key"])
        image = Image.open(io.BytesIO(picture["Body"].read()))
        assert (image.format, image.size) == ("JPEG", (512, 512))
        assert picture["ContentType"] == "image/jpeg"


def test_a_jobs_budget_is_kept_as_long_as_the_job(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VALUES, "KEEP_DAYS", "400")
    run_worker(functions, FAST, maxCostUsd=1, spentUsd=0.5)
    [budget] = [i for i in clients.dynamodb().scan(TableName="jobs")["Items"] if "budget:" in i["pk"]["S"]]
    assert budget["spent"] == {"N": str(500_000 + 3 * 33_600)}
    until = event("worker")["deadlineAt"] // 1000 + 401 * 86_400
    assert budget["expiresAt"] == {"N": str(until)}


def test_a_refused_picture_makes_the_case_partial(functions: Functions) -> None:
    result = run_worker(functions, fake_gemini.Config(latency_median=0, script={"Torn letter": ["safety"]}))
    assert (result["success"], result["status"], result["completedImages"]) == (True, "partial", 2)
    job = functions.call("reader", event("reader")).json
    assert job["errors"]["evidence-2"]["code"] == "refused"


def test_a_second_delivery_of_the_same_event_spends_nothing(functions: Functions) -> None:
    run_worker(functions, FAST)
    before = functions.call("reader", event("reader")).json
    result = run_worker(functions, FAST)
    assert (result["success"], result["status"]) == (False, "superseded")
    assert functions.call("reader", event("reader")).json == before


def test_without_a_provider_key_every_picture_fails_as_unauthorized(functions: Functions) -> None:
    clients.secretsmanager().put_secret_value(SecretId="gemini", SecretString="unset")
    result = run_worker(functions, FAST)
    assert (result["success"], result["status"]) == (False, "failed")
    job = functions.call("reader", event("reader")).json
    assert {error["code"] for error in job["errors"].values()} == {"unauthorized"}


def test_an_expired_event_is_dropped(functions: Functions) -> None:
    result = run_worker(functions, FAST, claimBefore=1)
    assert (result["success"], result["status"]) == (False, "expired")


def test_a_run_logs_why_it_failed_and_nothing_secret(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    run_worker(functions, fake_gemini.Config(latency_median=0, key="another-key"))
    logged = capsys.readouterr().out
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    [ended] = [line for line in lines if line.get("message") == "run_ended"]
    model = "gemini/gemini-nano-banana-2.1"
    assert ended["reasons"] == {f"{model}: the provider does not accept the key: 400 INVALID_ARGUMENT": 3}
    assert [line["ProviderFaults"] for line in lines if "ProviderFaults" in line] == [[3.0]]
    for secret in ("the-key", "MDEyMzQ1", "harbour water", "v1,"):
        assert secret not in logged
