"""Run a whole case in one process: the real handlers and the real worker on moto, in virtual time.

Only the surroundings are replaced, see surroundings.py, so every count is the same each time.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from darkroom.adapters.dynamodb.item_size import item_size
from darkroom.adapters.http_snapshots import HttpSnapshots
from darkroom.adapters.secrets import secret
from darkroom.domain.case import Case, ShotKind

from bench.speed.scenarios import SCENARIOS, Scenario
from bench.speed.virtual_clock import VirtualProvider
from bench.speed.worker import START
from bench.usage.request_meter import BYTES_OUT, INVOCATIONS, REQUESTS, Meter
from bench.usage.surroundings import (
    JPEG_BYTES,
    KeyedProvider,
    Logs,
    Loop,
    PlainProcessor,
    RunnerWithClient,
    ToWebhook,
)
from testing.function_calls import serving
from testing.functions import TOKEN, Context, Functions, Response, deployment, event, request

POLL_S = 2
"""Poll interval of the client in seconds, from the service's `Retry-After` for an open job."""


@dataclass
class MeteredDeployment:
    """A deployment whose requests to AWS are counted while it runs cases."""

    functions: Functions
    meter: Meter
    receiver: str
    """Address of the receiver of callbacks."""
    scenario: Scenario = SCENARIOS[0]
    loop: Loop | None = None
    ran_s: float = 0.0
    """Running time of the last worker in virtual seconds."""

    def now_ns(self) -> int:
        """Return the virtual time, in place of `time.time_ns`."""
        passed = 0.0 if self.loop is None else self.loop.time()
        return START * 1_000_000 + round(passed * 1e9)

    def call(self, name: str, incoming: dict[str, Any], function: str = "") -> Response:
        """Call an HTTP function, counted under its name or under `function`; return its response."""
        with self.meter.calling(function or name):
            self.meter.add(INVOCATIONS)
            self.meter.add(REQUESTS)
            response = self.functions.call(name, incoming)
            self.meter.add(BYTES_OUT, len(response.text.encode()))
        assert response.status < 400, response.text
        return response

    def invoke(self, name: str, incoming: dict[str, Any]) -> Any:
        """Invoke another function; return its result."""
        module = self.functions.load(name)
        with self.meter.calling(name):
            self.meter.add(INVOCATIONS)
            return module.handler(incoming, Context())

    def get(self, path: str, function: str = "", tag: str = "", **query: str) -> Response:
        """Send a GET request to the reader; return its response."""
        incoming = request("GET", path, queryStringParameters=query)
        incoming["headers"] = incoming["headers"] | ({"if-none-match": tag} if tag else {})
        return self.call("reader", incoming, function)

    def run_case(self, case: Case, seed: int, **limits: float) -> None:
        """Run a case from its submission until the client has every picture and the receiver every callback.

        `limits` are further fields of the submission.
        """
        caller = event("authorizer") | {"identitySource": [f"Bearer {TOKEN}"]}
        assert self.invoke("authorizer", caller)["isAuthorized"]
        body = json.dumps(_body(case) | {"callbackUrl": self.receiver} | limits)
        self.meter.size("submission", len(body.encode()))
        response = self.call("initiator", event("initiator") | {"body": body})
        self.meter.size("response", len(response.text.encode()))
        path = f"/api/cases/{case.case_id}/image-job"
        self._run_worker(path, seed)
        self._observe_and_deliver()
        self._fetch_pictures(path)

    def _run_worker(self, path: str, seed: int) -> None:
        """Run the worker, and at the same time a client that polls every two seconds."""
        [(_, payload)] = self.meter.invoked
        self.meter.invoked.clear()
        self.meter.size("worker event", len(payload))
        module = self.functions.load("worker")
        runner, self.loop = module.RUNNER, Loop()
        watched = RunnerWithClient(self.loop, lambda: self._poll(path))
        vars(module).update(RUNNER=watched, RUN_JOB=self._wired(module, seed))
        assert self.invoke("worker", json.loads(payload))["success"]
        self.ran_s = watched.ended_at
        self.loop.close()
        vars(module)["RUNNER"] = runner

    def _wired(self, module: Any, seed: int) -> Any:
        """Return the worker as its module builds it, with other surroundings."""
        settings, jitter = module.SETTINGS, random.Random(seed).random
        provider = KeyedProvider(VirtualProvider(self.scenario.config(seed)), secret(settings.gemini_secret))
        client = httpx.AsyncClient(transport=ToWebhook(self._receive_snapshot))
        return replace(
            module.RUN_JOB,
            image_models=[replace(each, provider=provider) for each in module.RUN_JOB.image_models],
            channel=HttpSnapshots(client, secret(settings.webhook_secret), module.clock),
            processor=PlainProcessor(),
            jitter=jitter,
        )

    def _receive_snapshot(self, body: str, headers: Mapping[str, str]) -> Response:
        """Pass a snapshot to the webhook."""
        self.meter.size("snapshot", len(body.encode()))
        return self.call("webhook", event("webhook") | {"body": body, "headers": dict(headers)})

    async def _poll(self, path: str) -> None:
        tag, status = "", "pending"
        while status in ("pending", "generating"):
            response = self.get(path, "reader, polls", tag)
            if response.status == 200:
                tag, status = response.headers["etag"], response.json["status"]
                self.meter.size("response", len(response.text.encode()))
            await asyncio.sleep(POLL_S)

    def _observe_and_deliver(self) -> None:
        """Pass the changes to the observer one by one, as in a quiet deployment, then run the deliverer."""
        for number, (old, new) in enumerate(self.meter.changes):
            change = {
                "ApproximateCreationDateTime": self.now_ns() / 1e9,
                "Keys": {"pk": new["pk"]},
                "NewImage": new,
                **({"OldImage": old} if old else {}),
                "SequenceNumber": str(number),
                "SizeBytes": item_size(new) + item_size(old or {}),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            }
            record = event("observer")["Records"][0] | {"dynamodb": change}
            self.meter.size("stream record", len(json.dumps({"Records": [record]})))
            assert self.invoke("observer", {"Records": [record]}) == {"batchItemFailures": []}
        self.meter.changes.clear()
        for _, payload in self.meter.invoked:
            self.meter.size("deliverer event", len(payload))
            assert self.invoke("deliverer", json.loads(payload)) == {"state": "delivered"}
        self.meter.invoked.clear()

    def _fetch_pictures(self, path: str) -> None:
        """Fetch every picture once by its link."""
        job = self.get(path, "reader, pictures").json
        for link in (job["evidenceImages"] | job["locationImages"]).values():
            address = urlsplit(link)
            self.get(address.path, "reader, pictures", s=parse_qs(address.query)["s"][0])
            with self.meter.calling("client"):
                self.meter.add("GetObject")
                self.meter.add(BYTES_OUT, JPEG_BYTES)


def _body(case: Case) -> dict[str, Any]:
    """Return the body of a case's submission."""

    def items(kind: ShotKind) -> list[dict[str, str]]:
        shots = (shot for shot in case.shots if shot.kind is kind)
        return [{"id": s.id, "name": s.name, "description": s.description} for s in shots]

    return {
        "caseId": case.case_id,
        "evidence": items(ShotKind.EVIDENCE),
        "locations": items(ShotKind.LOCATION),
    }


@contextmanager
def metered_deployment() -> Iterator[MeteredDeployment]:
    """Open a new deployment, all of whose functions start cold."""
    meter = Meter()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            self.rfile.read(length)
            meter.size("callback", length)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with pytest.MonkeyPatch.context() as patch, serving(HTTPServer(("127.0.0.1", 0), Receiver)) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        logs = Logs(meter)
        with redirect_stdout(logs), deployment(patch.setenv) as functions, meter.listening():
            for name in ("initiator", "observer"):
                functions.load(name, STATUS_URL="")  # the template's default
            metered = MeteredDeployment(functions, meter, f"{url}/hooks/images")
            patch.setattr(time, "time_ns", metered.now_ns)
            patch.setattr(logging, "logAsyncioTasks", False)  # in Lambda no handler runs in a task
            yield metered
