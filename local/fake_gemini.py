"""A fake of the image provider: it implements Gemini's `generateContent` and draws labelled pictures.

    python -m local.fake_gemini --port 8080 --config '{"faults": {"hang": 0.1}, "quota_per_minute": 10}'

Its responses are as slow, as unreliable and as large as the real ones, by configuration. They depend only
on the seed: the nth request for a prompt always gets the same latency and the same fault.
`GET /_stats` returns the requests received since `PUT /_config` last replaced the configuration.
"""

import argparse
import json
import math
import random
import re
import socket
import sys
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local import drawing, gemini_responses

MODEL = re.compile(r"/v1beta/models/(?P<model>[\w.-]+):generateContent")
PROMPT = re.compile(r"(?P<kind>Evidence|Atmospheric environmental) photography: (?P<name>.*?)\. ", re.DOTALL)
FAULTS = frozenset(
    {"hang", "trickle", "500", "503", "429", "safety", "no-image", "truncated", "bad-image", "large"}
)
P95 = 1.6449  # the 95th percentile of a standard normal distribution


@dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of the fake. Latencies are log-normal, in seconds."""

    seed: int = 1
    latency_median: float = 4.0
    latency_p95: float = 9.0
    faults: dict[str, float] = field(default_factory=dict)
    """Fault → its probability for each request."""
    script: dict[str, list[str]] = field(default_factory=dict)
    """Name of a shot → what its 1st, 2nd, ... request gets: a fault or "ok". Later requests get "ok"."""
    quota_per_minute: int | None = None
    """Maximum number of requests in any minute; further ones get a 429 with RetryInfo."""
    minute: float = 60.0
    """Length of the quota's minute in seconds. A bench sets a shorter one to finish sooner."""
    retry_delay: float = 1.0
    """RetryInfo's delay in seconds in an injected 429."""
    key: str | None = None
    """The only API key that is accepted; None accepts every key."""

    def __post_init__(self) -> None:
        unknown = {*self.faults, *(f for s in self.script.values() for f in s)} - FAULTS - {"ok"}
        if unknown:
            raise ValueError(f"unknown faults {sorted(unknown)}; there are {sorted(FAULTS)}")

    def latency(self, dice: random.Random) -> float:
        """Return the seconds until the response begins."""
        if self.latency_median <= 0:
            return 0.0
        sigma = math.log(self.latency_p95 / self.latency_median) / P95
        return dice.lognormvariate(math.log(self.latency_median), sigma)

    def fault(self, name: str, nth: int, dice: random.Random) -> str:
        """Return the fault of the nth request for the shot called `name`, or "ok"."""
        if name in self.script:
            scripted = self.script[name]
            return scripted[nth - 1] if nth <= len(scripted) else "ok"
        at = dice.random()
        for fault, share in sorted(self.faults.items()):
            if at < share:
                return fault
            at -= share
        return "ok"


class FakeGemini:
    """The configuration, the quota and the statistics, which all requests share."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._starts: deque[float] = deque()
        self._requests = Counter[str]()
        self._outcomes = Counter[str]()
        self._now = 0
        self._most = 0

    def configure(self, config: Config) -> None:
        """Replace the configuration, and restart the counts of requests and of the quota."""
        with self._lock:
            self.config = config
            self._requests.clear()
            self._starts.clear()

    def begin(self, prompt: str, name: str) -> tuple[str, float]:
        """Count a request; return its fault, and its latency in seconds or the delay of a 429."""
        with self._lock:
            self._requests[name] += 1
            self._now += 1
            self._most = max(self._most, self._now)
            nth = self._requests[name]
            dice = random.Random(f"{self.config.seed}|{prompt}|{nth}")
            latency, fault = self.config.latency(dice), self.config.fault(name, nth, dice)
            if (wait := self._quota_wait()) > 0:
                return "429", wait
            return fault, latency if fault != "429" else self.config.retry_delay

    def end(self, outcome: str) -> None:
        """Count how a request ended."""
        with self._lock:
            self._now -= 1
            self._outcomes[outcome] += 1

    def stats(self) -> dict[str, Any]:
        """Return the requests since the last configuration, in all and by shot; the rest since the start."""
        with self._lock:
            return {
                "requests": self._requests.total(),
                "inFlight": self._now,
                "mostInFlight": self._most,
                "outcomes": dict(self._outcomes),
                "byName": dict(self._requests),
                "config": asdict(self.config),
            }

    def _quota_wait(self) -> float:
        quota, now = self.config.quota_per_minute, time.monotonic()
        while self._starts and self._starts[0] <= now - self.config.minute:
            self._starts.popleft()
        if quota is not None and len(self._starts) >= quota:
            return self._starts[0] + self.config.minute - now
        self._starts.append(now)
        return 0.0


class Handler(BaseHTTPRequestHandler):
    """The handler of one connection."""

    protocol_version = "HTTP/1.1"
    provider: FakeGemini

    def do_GET(self) -> None:
        """Send the statistics, or the description of a model: every model exists."""
        if self.path == "/_stats":
            return self._send(200, self.provider.stats())
        if self.path.startswith("/v1beta/models/"):
            key, expected = self.headers.get("x-goog-api-key"), self.provider.config.key
            if not key or (expected is not None and key != expected):
                return self._send(400, gemini_responses.bad_key())
            return self._send(200, {"name": self.path.removeprefix("/v1beta/")})
        return self._send(404, gemini_responses.error(404, "NOT_FOUND", "no such path"))

    def do_PUT(self) -> None:
        """Replace the configuration."""
        try:
            self.provider.configure(Config(**json.loads(self._body())))
        except (TypeError, ValueError) as error:
            return self._send(400, gemini_responses.error(400, "INVALID_ARGUMENT", str(error)))
        return self._send(200, self.provider.stats())

    def do_POST(self) -> None:
        """Respond to `generateContent`."""
        body, model = self._body(), MODEL.fullmatch(self.path)
        if model is None:
            return self._send(404, gemini_responses.error(404, "NOT_FOUND", f"{self.path} is not found"))
        key, expected = self.headers.get("x-goog-api-key"), self.provider.config.key
        if not key or (expected is not None and key != expected):
            return self._send(400, gemini_responses.bad_key())
        try:
            prompt = json.loads(body)["contents"][-1]["parts"][-1]["text"]
        except (ValueError, LookupError, TypeError):
            return self._send(
                400, gemini_responses.error(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
            )
        shot = PROMPT.match(prompt)
        name = shot["name"] if shot else prompt[:40]
        kind = "evidence" if shot and shot["kind"] == "Evidence" else "location"
        fault, seconds = self.provider.begin(prompt, name)
        outcome = "gone"
        try:
            outcome = self._respond(fault, seconds, kind, name, model["model"])
        except OSError:
            self.close_connection = True  # the client hung up
        finally:
            self.provider.end(outcome)
        return None

    def _respond(self, fault: str, seconds: float, kind: str, name: str, model: str) -> str:
        if fault == "429":
            self._send(429, gemini_responses.throttled(seconds))
            return fault
        if fault == "hang":
            self._wait(86_400)
            return fault
        started = time.monotonic()
        # Drawing takes time itself, so it comes before the wait and counts as part of the latency.
        status, body = self._response(fault, kind, name, model)
        self._wait(seconds - (time.monotonic() - started))
        self._headers(status, len(body))
        if fault == "trickle":
            for start in range(0, len(body), 256):
                self.wfile.write(body[start : start + 256])
                self._wait(0.5)
        else:
            self.wfile.write(body)
        return fault

    def _response(self, fault: str, kind: str, name: str, model: str) -> tuple[int, bytes]:
        match fault:
            case "500":
                return 500, gemini_responses.encoded(
                    gemini_responses.error(500, "INTERNAL", "An internal error has occurred.")
                )
            case "503":
                text = "This model is currently experiencing high demand. Please try again later."
                return 503, gemini_responses.encoded(gemini_responses.error(503, "UNAVAILABLE", text))
            case "safety":
                return 200, gemini_responses.encoded(gemini_responses.finished("IMAGE_SAFETY", model))
            case "no-image":
                return 200, gemini_responses.encoded(
                    gemini_responses.finished("STOP", model, [{"text": "A dark room, then."}])
                )
            case "bad-image" | "large":
                picture = b"not a picture" if fault == "bad-image" else drawing.large_picture()
                return 200, gemini_responses.encoded(
                    gemini_responses.finished("STOP", model, [gemini_responses.image_part(picture)])
                )
            case _:
                body = gemini_responses.picture(kind, name, model)
                return 200, body[: len(body) // 2] if fault == "truncated" else body

    def _wait(self, seconds: float) -> None:
        """Sleep; raise BrokenPipeError as soon as the client hangs up or the server stops."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.provider.stopping.wait(min(left, 0.1)) or self._hung_up():
                raise BrokenPipeError

    def _hung_up(self) -> bool:
        try:
            flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
            peeked: bytes = self.connection.recv(1, flags)
        except BlockingIOError:
            return False
        return not peeked

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _send(self, status: int, response: dict[str, Any]) -> None:
        body = gemini_responses.encoded(response)
        self._headers(status, len(body))
        self.wfile.write(body)

    def _headers(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing: `GET /_stats` has the counts."""


class Server(ThreadingHTTPServer):
    """A server on the loopback interface only. `port` 0 chooses a free port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config: Config, port: int = 0) -> None:
        self.provider = FakeGemini(config)
        super().__init__(("127.0.0.1", port), type("Bound", (Handler,), {"provider": self.provider}))

    @property
    def url(self) -> str:
        """Return the address at which it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless it is only that the client hung up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Stop, and end every waiting request."""
        self.provider.stopping.set()
        super().server_close()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--config", type=json.loads, default={}, help="a Config as JSON")
    arguments = parser.parse_args()
    with Server(Config(**arguments.config), arguments.port) as server:
        print(server.url, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
