"""Callbacks on the running stack, to receivers that accept them and to receivers that fail."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from darkroom.adapters.signing import standard_webhooks

from testing.real_time import wait_for
from tests.stack.conftest import Api, a_case

END_S = 30.0


@dataclass
class Receiver:
    """A receiver on loopback. It responds with `statuses` in order, and repeats the last one."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [204])
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = found.statuses.pop(0) if len(found.statuses) > 1 else found.statuses[0]
            self.send_response(status)
            if status == 302:
                self.send_header("location", f"{found.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def deliveries(api: Api, case_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("GET", f"/api/cases/{case_id}/image-job/callbacks").json()[
        "deliveries"
    ]
    return found


def until(api: Api, case_id: str, state: str) -> dict[str, Any]:
    """Return the last delivery when an attempt has left it in `state`."""

    def is_in_state(found: list[dict[str, Any]]) -> bool:
        last = found[-1] if found else {"event": None}
        attempted = state != "pending" or "lastStatus" in last
        return last["event"] == "image-job.completed" and last["state"] == state and attempted

    return wait_for(
        lambda: deliveries(api, case_id), is_in_state, f"a delivery that is {state}", within_s=END_S
    )[-1]


def submit(api: Api, case_id: str, receiver: Receiver, **more: Any) -> None:
    case = {**a_case(case_id), "callbackUrl": f"{receiver.url}/hook", **more}
    response = api.call("POST", "/api/generate-case-images", json=case)
    assert response.status_code == 202, response.text


def test_a_receiver_gets_every_event_signed_and_ordered_by_version(api: Api, receiver: Receiver) -> None:
    submit(api, "called-back", receiver)
    api.ended("called-back")
    until(api, "called-back", "delivered")
    secrets = api.call("GET", "/api/callback-secret").json()["secrets"]
    for headers, body in receiver.received:
        standard_webhooks.verify(secrets[0], headers=headers, body=body, now_s=time.time())
        assert len(body) < 20_000
    messages = sorted(receiver.messages(), key=lambda message: message["data"]["version"])
    assert messages[0]["type"] == "image-job.generating"
    assert messages[-1]["type"] == "image-job.completed"
    assert {message["type"] for message in messages[1:-1]} <= {"image-job.progress"}
    links = messages[-1]["data"]["evidenceImages"]
    assert api.http.get(links["e-0"], follow_redirects=True).content.startswith(b"\xff\xd8")


def test_only_the_requested_events_are_sent(api: Api, receiver: Receiver) -> None:
    submit(api, "picky", receiver, callbackEvents=["image-job.completed"])
    until(api, "picky", "delivered")
    assert [message["type"] for message in receiver.messages()] == ["image-job.completed"]


def test_a_failed_callback_is_sent_again_by_the_sweeper_and_by_a_replay(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [503, 204]
    submit(api, "stubborn", receiver, callbackEvents=["image-job.completed"])
    last = until(api, "stubborn", "pending") if not receiver.received else deliveries(api, "stubborn")[-1]
    time.sleep(max(0.0, last.get("dueAt", 0) / 1000 - time.time()))
    api.stack.client("lambda").invoke(FunctionName=api.stack.sweeper)
    last = until(api, "stubborn", "delivered")
    assert (last["attempts"], last["lastStatus"]) == (2, 204)
    again = api.call("POST", f"/api/cases/stubborn/image-job/callbacks/{last['version']}/replay")
    assert again.status_code == 202
    until(api, "stubborn", "delivered")
    ids = {headers["webhook-id"] for headers, _ in receiver.received}
    assert len(ids) == 1


def test_a_redirect_is_not_followed_and_410_ends_the_callbacks(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [302]
    submit(api, "redirected", receiver, callbackEvents=["image-job.completed"])
    last = until(api, "redirected", "pending")
    assert (last["lastStatus"], last["lastError"]) == (302, "redirects are not followed")
    receiver.statuses = [410]
    submit(api, "unwanted", receiver)
    until(api, "unwanted", "gone")


def test_a_receiver_at_a_host_that_is_not_allowed_is_refused(api: Api) -> None:
    for url in (
        "https://evil.example/",
        "http://169.254.169.254/latest",
        "https://[::1]/",
        "file:///etc/passwd",
    ):
        response = api.call("POST", "/api/generate-case-images", json={**a_case("x"), "callbackUrl": url})
        assert response.status_code == 400
        assert [wrong["field"] for wrong in response.json()["errors"]] == ["callbackUrl"]
    assert api.call("POST", "/api/cases/called-back/image-job/callbacks/1/replay").status_code == 404
