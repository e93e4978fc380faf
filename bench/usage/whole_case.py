"""A whole case in one process: the real handlers and the real worker on moto, in virtual time.

Only what is outside Darkroom is replaced, see outside.py: so every count is the same each time.
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
from bench.usage.surroundings import JPEG_BYTES, KeyedProvider, Logs, Loop, PlainProcessor, ToWebhook, Watched
from testing.function_calls import serving
from testing.functions import TOKEN, Context, Functions, Response, deployment, event, request

POLL_S = 2
"""What `Retry-After` asks of clients while a job is open."""


@dataclass
class Whole:
    """A deployment, and what is counted of the cases it develops."""

    functions: Functions
    meter: Meter
    receiver: str
    """Where callbacks go."""
    scenario: Scenario = SCENARIOS[0]
    loop: Loop | None = None
    ran_s: float = 0.0
    """How long the last worker ran, in virtual seconds."""

    def now_ns(self) -> int:
        """Stands for `time.time_ns`."""
        passed = 0.0 if self.loop is None else self.loop.time()
        return START * 1_000_000 + round(passed * 1e9)

    def call(self, name: str, incoming: dict[str, Any], function: str = "") -> Response:
        """An HTTP function's answer, counted under its name or another."""
        with self.meter.of(function or name):
            self.meter.add(INVOCATIONS)
            self.meter.add(REQUESTS)
            answer = self.functions.call(name, incoming)
            self.meter.add(BYTES_OUT, len(answer.text.encode()))
        assert answer.status < 400, answer.text
        return answer

    def invoke(self, name: str, incoming: dict[str, Any]) -> Any:
        """What another function answers."""
        module = self.functions.load(name)
        with self.meter.of(name):
            self.meter.add(INVOCATIONS)
            return module.handler(incoming, Context())

    def ask(self, path: str, function: str = "", tag: str = "", **query: str) -> Response:
        """A question to the reader."""
        incoming = request("GET", path, queryStringParameters=query)
        incoming["headers"] = incoming["headers"] | ({"if-none-match": tag} if tag else {})
        return self.call("reader", incoming, function)

    def develop(self, case: Case, seed: int, **limits: float) -> None:
        """From the submission until the client has every picture and the receiver has heard it all.

        `limits` are further fields of the submission.
        """
        caller = event("authorizer") | {"identitySource": [f"Bearer {TOKEN}"]}
        assert self.invoke("authorizer", caller)["isAuthorized"]
        body = json.dumps(_body(case) | {"callbackUrl": self.receiver} | limits)
        self.meter.size("submission", len(body.encode()))
        answer = self.call("initiator", event("initiator") | {"body": body})
        self.meter.size("answer", len(answer.text.encode()))
        path = f"/api/cases/{case.case_id}/image-job"
        self._work(path, seed)
        self._tell()
        self._look(path)

    def _work(self, path: str, seed: int) -> None:
        """The worker's run, and beside it a client that asks every two seconds how it stands."""
        [(_, payload)] = self.meter.invoked
        self.meter.invoked.clear()
        self.meter.size("worker event", len(payload))
        module = self.functions.load("worker")
        runner, self.loop = module.RUNNER, Loop()
        watched = Watched(self.loop, lambda: self._watch(path))
        vars(module).update(RUNNER=watched, DEVELOP=self._wired(module, seed))
        assert self.invoke("worker", json.loads(payload))["success"]
        self.ran_s = watched.ended_at
        self.loop.close()
        vars(module)["RUNNER"] = runner

    def _wired(self, module: Any, seed: int) -> Any:
        """The worker as its module wires it, but for what is outside."""
        settings, jitter = module.SETTINGS, random.Random(seed).random
        provider = KeyedProvider(VirtualProvider(self.scenario.config(seed)), secret(settings.gemini_secret))
        client = httpx.AsyncClient(transport=ToWebhook(self._take))
        return replace(
            module.DEVELOP,
            image_models=[replace(each, provider=provider) for each in module.DEVELOP.image_models],
            channel=HttpSnapshots(client, secret(settings.webhook_secret), module.clock),
            generate_image=replace(module.DEVELOP.generate_image, processor=PlainProcessor(), jitter=jitter),
            jitter=jitter,
        )

    def _take(self, body: str, headers: Mapping[str, str]) -> Response:
        """A snapshot that has arrived."""
        self.meter.size("snapshot", len(body.encode()))
        return self.call("webhook", event("webhook") | {"body": body, "headers": dict(headers)})

    async def _watch(self, path: str) -> None:
        tag, status = "", "pending"
        while status in ("pending", "generating"):
            answer = self.ask(path, "reader, polls", tag)
            if answer.status == 200:
                tag, status = answer.headers["etag"], answer.json["status"]
                self.meter.size("answer", len(answer.text.encode()))
            await asyncio.sleep(POLL_S)

    def _tell(self) -> None:
        """The stream to the observer, each change alone as when nothing else happens; then the receiver."""
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

    def _look(self, path: str) -> None:
        """Every picture, once, by its link."""
        job = self.ask(path, "reader, pictures").json
        for link in (job["evidenceImages"] | job["locationImages"]).values():
            address = urlsplit(link)
            self.ask(address.path, "reader, pictures", s=parse_qs(address.query)["s"][0])
            with self.meter.of("client"):
                self.meter.add("GetObject")
                self.meter.add(BYTES_OUT, JPEG_BYTES)


def _body(case: Case) -> dict[str, Any]:
    """The submission of a case."""

    def items(kind: ShotKind) -> list[dict[str, str]]:
        shots = (shot for shot in case.shots if shot.kind is kind)
        return [{"id": s.id, "name": s.name, "description": s.description} for s in shots]

    return {
        "caseId": case.case_id,
        "evidence": items(ShotKind.EVIDENCE),
        "locations": items(ShotKind.LOCATION),
    }


@contextmanager
def deployed() -> Iterator[Whole]:
    """A fresh deployment, all of whose functions start cold."""
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
                functions.load(name, STATUS_URL="")  # as the template has it if nobody says otherwise
            whole = Whole(functions, meter, f"{url}/hooks/images")
            patch.setattr(time, "time_ns", whole.now_ns)
            patch.setattr(logging, "logAsyncioTasks", False)  # in Lambda no handler runs in a task
            yield whole
