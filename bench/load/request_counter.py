"""Count the requests of functions to AWS, in a proxy in front of the emulator."""

import http.client
import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class CountingProxy(ThreadingHTTPServer):
    """Listens on a free port of loopback; `target` (host, port) must be set before the first request."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.target = ("127.0.0.1", 0)
        self.calls = Counter[tuple[str, str]]()
        """(service, operation) → number of requests; items are counted as `dynamodb items ...` too."""
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """The address at which it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, calls: Counter[tuple[str, str]]) -> None:
        """Add `calls` to the counts."""
        with self._lock:
            self.calls.update(calls)

    def take_counts(self) -> Counter[tuple[str, str]]:
        """Return the counts since the last call."""
        with self._lock:
            counts, self.calls = self.calls, Counter()
        return counts


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CountingProxy

    def handle(self) -> None:
        """Serve one connection of a function by one connection to the emulator."""
        self.onward = http.client.HTTPConnection(*self.server.target, timeout=60)
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True  # a function ended, or broke off a request
        finally:
            self.onward.close()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.count(requests_in(self.command, self.path, self.headers, body))
        sent = {n: v for n, v in self.headers.items() if n.lower() not in {"connection", "expect"}}
        self.onward.request(self.command, self.path, body=body, headers=sent)
        response = self.onward.getresponse()
        content = response.read()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", response.headers.get("content-length", str(len(content))))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing: the counts are the output."""


def requests_in(method: str, path: str, headers: Any, body: bytes) -> Counter[tuple[str, str]]:
    """Return the service and the operation of one request, with the items that it reads or writes."""
    target = headers.get("x-amz-target", "")
    if target.startswith("DynamoDB_"):
        return _of_dynamodb(target.rpartition(".")[2], json.loads(body))
    if target:
        return Counter([(target.partition(".")[0], target.rpartition(".")[2])])
    parts = urlsplit(path)
    if found := _INVOKE.fullmatch(parts.path):
        return Counter([("lambda", f"invoke {found['name'].rpartition(':')[2]}")])
    if "list-type" in parse_qs(parts.query):
        return Counter([("s3", "LIST")])
    return Counter([("s3", method)])


def _of_dynamodb(operation: str, body: dict[str, Any]) -> Counter[tuple[str, str]]:
    counted = Counter([("dynamodb", operation)])
    reads = {"GetItem": 1, "TransactGetItems": len(body.get("TransactItems", [])), "Query": 1}
    writes = {"PutItem": 1, "UpdateItem": 1, "TransactWriteItems": len(body.get("TransactItems", []))}
    tables = body.get("RequestItems", {}).values()
    reads["BatchGetItem"] = sum(len(table.get("Keys", [])) for table in tables)
    counted["dynamodb", "items read"] = reads.get(operation, 0)
    counted["dynamodb", "items written"] = writes.get(operation, 0)
    return +counted
