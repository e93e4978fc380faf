"""The receiver of `make local` checks signatures and prints each message."""

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from darkroom.adapters.signing import standard_webhooks

from local import receiver

SECRETS = ["whsec_" + "A" * 44, "whsec_" + "B" * 44]
BODY = json.dumps(
    {
        "type": "image-job.completed",
        "data": {
            "caseId": "case-42",
            "version": 7,
            "completedImages": 14,
            "totalImages": 14,
            "shareUrl": "s",
        },
    }
).encode()


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def server(printed: list[str]) -> Iterator[receiver.Server]:
    found = receiver.Server(SECRETS, printed.append)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def send(server: receiver.Server, secret: str) -> int:
    signed = standard_webhooks.sign(secret, message_id="m", timestamp_s=int(time.time()), body=BODY)
    return httpx.post(server.url, content=BODY, headers=signed, trust_env=False).status_code


def test_a_message_signed_with_any_of_the_secrets_is_printed_in_one_line(
    server: receiver.Server, printed: list[str]
) -> None:
    assert [send(server, secret) for secret in SECRETS] == [204, 204]
    assert printed == ["callback image-job.completed case-42 version 7: 14 of 14 pictures"] * 2


def test_a_message_signed_with_another_secret_is_refused(server: receiver.Server, printed: list[str]) -> None:
    assert send(server, "whsec_" + "C" * 44) == 401
    assert printed == ["callback with a wrong signature: refused"]
