"""The receiver of callbacks for `make local`: it checks each signature and prints a line for each message."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from darkroom.adapters.signing import standard_webhooks
from darkroom.domain.errors import BadSignature


class Server(ThreadingHTTPServer):
    """A server on a free port of loopback. A message must be signed with one of `secrets`."""

    daemon_threads = True

    def __init__(self, secrets: list[str], say: Callable[[str], None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secrets = secrets
        self.say = say
        self.url = f"http://127.0.0.1:{self.server_port}/callbacks"


class Handler(BaseHTTPRequestHandler):
    """The handler of one connection."""

    server: Server

    def do_POST(self) -> None:
        """Print the message; respond with 204 when its signature is right, else with 401."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        genuine = is_genuine(self.server.secrets, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.say(in_one_line(body) if genuine else "callback with a wrong signature: refused")
        self.send_response(204 if genuine else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing else."""


def is_genuine(secrets: list[str], headers: dict[str, str], body: bytes) -> bool:
    """Return True if one of `secrets` has signed `body`."""
    for secret in secrets:
        try:
            standard_webhooks.verify(secret, headers=headers, body=body, now_s=time.time())
        except BadSignature:
            continue
        return True
    return False


def in_one_line(body: bytes) -> str:
    """Return a line that says what happened to the job."""
    message: dict[str, Any] = json.loads(body)
    job = message["data"]
    counts = f"{job['completedImages']} of {job['totalImages']} pictures"
    return f"callback {message['type']} {job['caseId']} version {job['version']}: {counts}"


def callback_secrets(api_url: str, token: str) -> list[str]:
    """Return the caller's callback secrets, from the API."""
    headers = {"authorization": f"Bearer {token}"}
    found = httpx.get(f"{api_url}/api/callback-secret", headers=headers, timeout=30, trust_env=False)
    return list(found.raise_for_status().json()["secrets"])
