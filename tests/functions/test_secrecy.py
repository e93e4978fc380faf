"""A reader without the right to read descriptions learns nothing about them and cannot test a guess."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from darkroom.adapters import aws as clients
from darkroom.wire.model import parse
from darkroom.wire.requests import SubmitRequest

from testing.function_calls import FAST, request_for, run_worker
from testing.functions import Functions, event, request

CASE = "/api/cases/case-42"
PREFIX = 10
"""Characters of a digest to search for: a part of a digest is enough to test a guess."""


def seen_by_a_reader(functions: Functions) -> Iterator[str]:
    """Yield every response, URL, header and file that the holder of a read link can get."""
    for path, query in (
        (f"{CASE}/image-job", None),
        (f"{CASE}/image-job", {"images": "inline"}),
        (f"{CASE}/image-job/timeline", None),
        (f"{CASE}/image-status", None),
    ):
        response = functions.call("reader", request("GET", path, queryStringParameters=query))
        assert response.status == 200, response.text
        yield json.dumps(response.headers) + response.text
    job: dict[str, Any] = functions.call("reader", request("GET", f"{CASE}/image-job")).json
    for link in {**job["evidenceImages"], **job["locationImages"]}.values():
        yield link + json.dumps(functions.call("reader", request_for(link)).headers)
    for item in clients.s3().list_objects_v2(Bucket="pictures")["Contents"]:
        found = clients.s3().get_object(Bucket="pictures", Key=item["Key"])
        yield json.dumps(found["ResponseMetadata"]["HTTPHeaders"]) + found["Body"].read().decode("latin-1")


def guesses_of(secret: bytes) -> Iterator[str]:
    """Yield the prefixes of the unsalted digests of `secret`."""
    for name in sorted(hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}):
        digest = hashlib.new(name, secret, usedforsecurity=False).digest()
        yield digest.hex()[:PREFIX]
        yield base64.b64encode(digest).decode()[:PREFIX]
        yield base64.urlsafe_b64encode(digest).decode()[:PREFIX]


def test_a_reader_sees_no_prompt_and_cannot_test_a_guess_at_one(functions: Functions) -> None:
    assert run_worker(functions, FAST)["status"] == "completed"
    body = event("initiator")["body"]
    case = parse(SubmitRequest, body.encode()).to_case()
    secrets = [text for shot in case.shots for text in (shot.prompt, shot.description)]
    seen = list(seen_by_a_reader(functions))
    assert len(seen) == 4 + 3 + 3
    for secret in secrets:
        assert not any(secret in text for text in seen)
    guesses = {guess for text in [*secrets, body] for guess in guesses_of(text.encode())}
    guesses |= {case.digest[:PREFIX]}
    assert not {guess for guess in guesses if any(guess in text for text in seen)}


def test_the_same_items_in_another_case_have_other_storage_keys(functions: Functions) -> None:
    body = json.loads(event("initiator")["body"])
    digests = []
    for case_id in ("case-1", "case-2"):
        sent = event("initiator") | {"body": json.dumps(body | {"caseId": case_id})}
        assert functions.call("initiator", sent).status == 202
        item = clients.dynamodb().get_item(TableName="jobs", Key={"pk": {"S": f"case:{case_id}:image-job"}})[
            "Item"
        ]
        digests.append([shot["M"]["digest"]["S"] for shot in item["shots"]["L"]])
    assert not set(digests[0]) & set(digests[1])
