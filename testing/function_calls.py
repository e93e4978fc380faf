"""Calls of the Lambda functions that several tests make: those of a whole case, one by one."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.signing import standard_webhooks

from local import fake_gemini
from testing.functions import SECRET, Context, Functions, Response, event, request

FAST = fake_gemini.Config(latency_median=0)


@contextmanager
def serving(server: HTTPServer) -> Iterator[str]:
    """Run `server` in a thread while the block runs; yield its address."""
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
    """The webhook function behind HTTP, as in the API."""

    functions: Functions

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.functions.call("webhook", event("webhook") | {"body": body, "headers": headers})
        self.send_response(response.status)
        self.send_header("content-length", str(len(response.text)))
        self.end_headers()
        self.wfile.write(response.text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def sample_order(**known: Any) -> dict[str, Any]:
    """Return the sample order, with the digests of the case's job."""
    order = event("worker") | known
    digests = DynamoDBJobs(clients.dynamodb(), "jobs").get(order["caseId"]).digests
    for item in (*order["evidence"], *order["locations"]):
        item["digest"] = digests[item["id"]]
    return order


def run_worker(functions: Functions, config: fake_gemini.Config, **changes: Any) -> dict[str, Any]:
    """Submit the sample case and run its worker; return the worker's result."""
    job = functions.call("initiator", event("initiator")).json
    functions.load("webhook")
    handler = type("Bound", (Webhook,), {"functions": functions})
    with (
        serving(fake_gemini.Server(config)) as provider,
        serving(HTTPServer(("127.0.0.1", 0), handler)) as api,
    ):
        worker = functions.load("worker", GEMINI_URL=provider)
        known = {"caseId": job["caseId"], "jobId": job["jobId"]}
        order = sample_order(**(known | {"webhookUrl": f"{api}/api/webhook/image-progress"} | changes))
        result: dict[str, Any] = worker.handler(order, Context())
        functions.forget("worker")
    return result


def snapshot_body(job: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the body of the sample snapshot, a claim, for a job."""
    sample: dict[str, Any] = json.loads(event("webhook")["body"])
    return sample | {"jobId": job["jobId"]} | changes


def picture_key(job: dict[str, Any], shot_id: str) -> str:
    """Return the key at which a worker would store the picture."""
    digest = DynamoDBJobs(clients.dynamodb(), "jobs").get(job["caseId"]).digests[shot_id]
    return f"cases/{job['caseId']}/{job['jobId']}/{shot_id}/{digest}-1.jpg"


def snapshot_with_a_picture(job: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the body of the snapshot that follows the claim and reports one picture."""
    images = {"evidence-1": picture_key(job, "evidence-1")}
    return snapshot_body(job, kind=kind, sequence=2, completedImages=1, evidenceImages=images)


def send_snapshot(
    functions: Functions, body: dict[str, Any] | str, *, secret: str = SECRET, age_s: int = 0
) -> Response:
    """Send a signed snapshot to the webhook; return its response."""
    text = body if isinstance(body, str) else json.dumps(body)
    headers = standard_webhooks.sign(
        secret, message_id="m-1", timestamp_s=int(time.time()) - age_s, body=text.encode()
    )
    made = event("webhook") | {"body": text}
    made["headers"] |= headers
    return functions.call("webhook", made)


def change_event(**changes: Any) -> dict[str, Any]:
    """Return the sample event of the observer, with the present time."""
    made = event("observer")
    made["Records"][0]["dynamodb"] |= {"ApproximateCreationDateTime": time.time(), **changes}
    return made


def submission_event() -> dict[str, Any]:
    """Return an event of the observer for a job that was created."""
    made = change_event()
    change = made["Records"][0]["dynamodb"]
    change["NewImage"] = change.pop("OldImage")
    return made


def request_for(link: str) -> dict[str, Any]:
    """Return the event of a GET request to `link`."""
    parts = urlsplit(link)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return request("GET", parts.path, queryStringParameters=query)


def a_job_with_a_picture(functions: Functions) -> dict[str, Any]:
    """Submit the sample case; return its job when one picture is made."""
    job: dict[str, Any] = functions.call("initiator", event("initiator")).json
    send_snapshot(functions, snapshot_body(job))
    clients.s3().put_object(Bucket="pictures", Key=picture_key(job, "evidence-1"), Body=b"jpeg")
    send_snapshot(functions, snapshot_with_a_picture(job, "progress"))
    found: dict[str, Any] = functions.call("reader", event("reader")).json
    return found


def message_of(body: Any) -> dict[str, Any]:
    """Return an event of the recovery with one message, whose body is `body` as JSON or as it is."""
    made = event("recovery")
    made["Records"][0]["body"] = body if isinstance(body, str) else json.dumps(body)
    return made


def a_record(job_id: str, *, condition: str = "RetriesExhausted", **order: Any) -> dict[str, Any]:
    """Return an event of the recovery with the sample record, of this job and with this condition."""
    record = json.loads(event("recovery")["Records"][0]["body"])
    record["requestPayload"] |= {"jobId": job_id, **order}
    record["requestContext"]["condition"] = condition
    record["requestContext"].pop("requestId")
    return message_of(record)
