"""The worker, whole: moto's S3, the provider over HTTP, and the real webhook function behind HTTP."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from PIL import Image

from local import fake_gemini
from tests.functions.conftest import VALUES, Context, Functions, event

FAST = fake_gemini.Config(latency_median=0)


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """`server` in a thread of its own; yields its address."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with closing(server.socket):
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Webhook(BaseHTTPRequestHandler):
    """The webhook function behind HTTP, as the API has it."""

    functions: Functions

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.functions.call("webhook", event("webhook") | {"body": body, "headers": headers})
        self.send_response(answer.status)
        self.send_header("content-length", str(len(answer.text)))
        self.end_headers()
        self.wfile.write(answer.text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def order_of(**known: Any) -> dict[str, Any]:
    """The sample, with the digests that the job of the case has."""
    order = event("worker") | known
    digests = DynamoDBJobs(clients.dynamodb(), "jobs").get(order["caseId"]).digests
    for item in (*order["evidence"], *order["locations"]):
        item["digest"] = digests[item["id"]]
    return order


def develop(functions: Functions, config: fake_gemini.Config, **changes: Any) -> dict[str, Any]:
    """Submit the sample case and run its worker; the worker's answer."""
    job = functions.call("initiator", event("initiator")).json
    functions.load("webhook")
    handler = type("Bound", (Webhook,), {"functions": functions})
    with (
        serving(fake_gemini.Server(config)) as provider,
        serving(HTTPServer(("127.0.0.1", 0), handler)) as api,
    ):
        worker = functions.load("worker", GEMINI_URL=provider)
        known = {"caseId": job["caseId"], "jobId": job["jobId"]}
        order = order_of(**(known | {"webhookUrl": f"{api}/api/webhook/image-progress"} | changes))
        result: dict[str, Any] = worker.handler(order, Context())
        functions.forget("worker")
    return result


def test_a_case_is_developed(functions: Functions) -> None:
    result = develop(functions, FAST)
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
    develop(functions, FAST, maxCostUsd=1, spentUsd=0.5)
    [budget] = [i for i in clients.dynamodb().scan(TableName="jobs")["Items"] if "budget:" in i["pk"]["S"]]
    assert budget["spent"] == {"N": str(500_000 + 3 * 33_600)}
    until = event("worker")["deadlineAt"] // 1000 + 401 * 86_400
    assert budget["expiresAt"] == {"N": str(until)}


def test_a_refused_picture_makes_the_case_partial(functions: Functions) -> None:
    result = develop(functions, fake_gemini.Config(latency_median=0, script={"Torn letter": ["safety"]}))
    assert (result["success"], result["status"], result["completedImages"]) == (True, "partial", 2)
    job = functions.call("reader", event("reader")).json
    assert job["errors"]["evidence-2"]["code"] == "refused"


def test_the_same_event_twice_is_paid_for_once(functions: Functions) -> None:
    develop(functions, FAST)
    before = functions.call("reader", event("reader")).json
    result = develop(functions, FAST)
    assert (result["success"], result["status"]) == (False, "superseded")
    assert functions.call("reader", event("reader")).json == before


def test_without_a_key_every_picture_says_so(functions: Functions) -> None:
    clients.secretsmanager().put_secret_value(SecretId="gemini", SecretString="unset")
    result = develop(functions, FAST)
    assert (result["success"], result["status"]) == (False, "failed")
    job = functions.call("reader", event("reader")).json
    assert {error["code"] for error in job["errors"].values()} == {"unauthorized"}


def test_an_event_past_its_time_is_dropped(functions: Functions) -> None:
    result = develop(functions, FAST, claimBefore=1)
    assert (result["success"], result["status"]) == (False, "expired")


def test_a_run_logs_why_it_failed_and_nothing_secret(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    develop(functions, fake_gemini.Config(latency_median=0, key="another-key"))
    logged = capsys.readouterr().out
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    [ended] = [line for line in lines if line.get("message") == "run_ended"]
    model = "gemini/gemini-nano-banana-2.1"
    assert ended["reasons"] == {f"{model}: the provider does not accept the key: 400 INVALID_ARGUMENT": 3}
    assert [line["ProviderFaults"] for line in lines if "ProviderFaults" in line] == [[3.0]]
    for secret in ("the-key", "MDEyMzQ1", "harbour water", "v1,"):
        assert secret not in logged
