"""A whole case in one process: the real handlers and the real worker on moto, in virtual time.

Only what is outside Darkroom is replaced: the image provider, whose answers take as long as the studio's
would, the encoder, and the wires between worker, webhook and client. So every count is the same each time.
"""

import asyncio
import io
import json
import random
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from darkroom.adapters.answers import usable
from darkroom.adapters.http_snapshots import HttpSnapshots
from darkroom.adapters.secrets import secret
from darkroom.domain.case import Case, ShotKind
from darkroom.ports import RawImage

from bench.dynamodb import item_size
from bench.meter import BYTES_OUT, INVOCATIONS, LOG_BYTES, LOG_LINES, REQUESTS, Meter
from bench.scenarios import SCENARIOS
from bench.virtual import VirtualStudio
from bench.worker import START, WEBHOOK_S
from tests.functions.conftest import TOKEN, Answer, Context, Functions, deployment, event, request
from tests.functions.test_worker import serving
from tests.virtual_time import VirtualLoop

JPEG_BYTES = 44_000
"""Of a picture of 512 x 512, the median of docs/bench.md."""
POLL_S = 2
"""What `Retry-After` asks of clients while a job is open."""


class Loop(VirtualLoop):
    """What belongs into a thread is done at once: moto answers without waiting."""

    def run_in_executor[*A, T](
        self,
        executor: Executor | None,  # noqa: ARG002
        func: Callable[[*A], T],
        *args: *A,
    ) -> asyncio.Future[T]:
        """See AbstractEventLoop."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the caller's, as from a thread
            future.set_exception(error)
        return future


@dataclass
class Whole:
    """A deployment, and what is counted of the cases it develops."""

    functions: Functions
    meter: Meter
    receiver: str
    """Where callbacks go."""
    loop: Loop = field(default_factory=Loop)
    ran_s: float = 0.0
    """How long the last worker ran, in virtual seconds."""

    def now_ns(self) -> int:
        """Stands for `time.time_ns`."""
        return START * 1_000_000 + round(self.loop.time() * 1e9)

    def call(self, name: str, incoming: dict[str, Any], function: str = "") -> Answer:
        """An HTTP function's answer, counted under its name or another."""
        with self.meter.of(function or name):
            self.meter.add(INVOCATIONS)
            self.meter.add(REQUESTS)
            answer = self.functions.call(name, incoming)
            self.meter.add(BYTES_OUT, len(answer.text.encode()))
        assert answer.status < 400, answer.text
        return answer

    def invoke(self, name: str, incoming: dict[str, Any], function: str = "") -> Any:
        """What another function answers."""
        module = self.functions.load(name)
        with self.meter.of(function or name):
            self.meter.add(INVOCATIONS)
            return module.handler(incoming, Context())

    def ask(self, path: str, function: str = "", tag: str = "", **query: str) -> Answer:
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
        self._work(f"/api/cases/{case.case_id}/image-job", seed)
        self._tell()
        self._look(case)

    def _work(self, path: str, seed: int) -> None:
        """The worker's run, and beside it a client that asks every two seconds how it stands."""
        [(_, payload)] = self.meter.invoked
        self.meter.invoked.clear()
        self.meter.size("worker event", len(payload))
        module = self.functions.load("worker")
        runner, self.loop = module.RUNNER, Loop()
        vars(module).update(RUNNER=_Runner(self, path), DEVELOP=self._wired(module, seed))
        result = self.invoke("worker", json.loads(payload))
        self.loop.close()
        vars(module)["RUNNER"] = runner
        assert result["status"] == "completed", result

    def _wired(self, module: Any, seed: int) -> Any:
        """The worker as its module wires it, but for what is outside."""
        settings, jitter = module.SETTINGS, random.Random(seed).random
        studio = _Keyed(VirtualStudio(SCENARIOS[0].config(seed)), secret(settings.gemini_secret))
        client = httpx.AsyncClient(transport=_ToWebhook(self))
        return replace(
            module.DEVELOP,
            sources=[replace(source, provider=studio) for source in module.DEVELOP.sources],
            channel=HttpSnapshots(client, secret(settings.webhook_secret), module._clock),  # noqa: SLF001
            make_shot=replace(module.DEVELOP.make_shot, developer=_Developer(), jitter=jitter),
            jitter=jitter,
        )

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

    def _look(self, case: Case) -> None:
        """Every picture, once, by its link."""
        job = self.ask(f"/api/cases/{case.case_id}/image-job", "reader, pictures").json
        for shot_id, link in (job["evidenceImages"] | job["locationImages"]).items():
            token = parse_qs(urlsplit(link).query)["s"][0]
            self.ask(f"/api/cases/{case.case_id}/images/{shot_id}", "reader, pictures", s=token)
            with self.meter.of("client"):
                self.meter.add("GetObject")
                self.meter.add(BYTES_OUT, JPEG_BYTES)


@dataclass
class _Runner:
    """Runs the worker in virtual time, and the client that watches it."""

    whole: Whole
    path: str

    def run[T](self, worker: Coroutine[Any, Any, T]) -> T:
        async def both() -> T:
            watching = asyncio.create_task(self._watch())
            result = await worker
            self.whole.ran_s = self.whole.loop.time()
            await watching
            return result

        return self.whole.loop.run_until_complete(both())

    async def _watch(self) -> None:
        tag, status = "", "pending"
        while status in ("pending", "generating"):
            answer = self.whole.ask(self.path, "reader, polls", tag)
            if answer.status == 200:
                tag, status = answer.headers["etag"], answer.json["status"]
                self.whole.meter.size("answer", len(answer.text.encode()))
            else:
                with self.whole.meter.of("reader, polls"):
                    self.whole.meter.add("304")
            await asyncio.sleep(POLL_S)


class _Developer:
    """See Developer: as many bytes as a picture has."""

    async def develop(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:  # noqa: ARG002
        return bytes(JPEG_BYTES)


@dataclass
class _Keyed:
    """See ImageProvider: reads the key first, as every provider does."""

    studio: VirtualStudio
    key: Callable[[], str]

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        await usable(self.key)
        return await self.studio.generate(prompt, timeout_s=timeout_s)


@dataclass
class _ToWebhook(httpx.AsyncBaseTransport):
    """Carries snapshots to the webhook's handler."""

    whole: Whole

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = (await request.aread()).decode()
        self.whole.meter.size("snapshot", len(body.encode()))
        incoming = event("webhook") | {"body": body, "headers": dict(request.headers)}
        await asyncio.sleep(WEBHOOK_S)
        answer = self.whole.call("webhook", incoming)
        return httpx.Response(answer.status, text=answer.text)


class _Logs(io.TextIOBase):
    """Counts what functions print."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, text: str) -> int:
        self._meter.add(LOG_BYTES, len(text.encode()))
        self._meter.add(LOG_LINES, text.count("\n"))
        return len(text)


def _body(case: Case) -> dict[str, Any]:
    """The submission of a case."""
    items = {
        kind: [
            {"id": s.id, "name": s.name, "description": s.description} for s in case.shots if s.kind is kind
        ]
        for kind in ShotKind
    }
    return {
        "caseId": case.case_id,
        "evidence": items[ShotKind.EVIDENCE],
        "locations": items[ShotKind.LOCATION],
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
        logs = _Logs(meter)
        with redirect_stdout(logs), deployment(patch.setenv) as functions, meter.listening():
            whole = Whole(functions, meter, f"{url}/hooks/images")
            patch.setattr(time, "time_ns", whole.now_ns)
            yield whole
            patch.undo()
            sys.stdout.flush()
