"""Polling a status document, on the running stack: no function is asked."""

import time
from typing import Any

from tests.stack.conftest import DEADLINE_S, Api
from tests.stack.test_stack import a_case


def ended(api: Api, url: str) -> dict[str, Any]:
    """The document once it says that the job has ended; real processes, so this waits in real time."""
    end, tag = time.monotonic() + DEADLINE_S, ""
    while time.monotonic() < end:
        answer = api.http.get(url, headers={"if-none-match": tag})
        if answer.status_code == 200:
            tag = answer.headers["etag"]
            told: dict[str, Any] = answer.json()
            if told["status"] not in ("pending", "generating"):
                return told
        assert answer.status_code in (200, 304, 403)  # 403: nothing is written yet
        time.sleep(0.05)
    raise AssertionError(f"the document did not say in {DEADLINE_S} s that the job has ended")


def test_a_case_is_followed_to_its_pictures_by_its_document_alone(api: Api) -> None:
    job = api.call("POST", "/api/generate-case-images", json=a_case("documented")).json()
    told = ended(api, job["statusUrl"])
    assert (told["status"], told["completedImages"], told["jobId"]) == ("completed", 3, job["jobId"])
    picture = api.http.get(told["evidenceImages"]["e-0"], follow_redirects=True)
    assert picture.content.startswith(b"\xff\xd8")
    assert told == api.job("documented")


def test_only_documents_are_served_and_none_to_a_guess(api: Api) -> None:
    job = api.call("POST", "/api/generate-case-images", json=a_case("guessed", 1)).json()
    api.ended("guessed")
    [key] = [
        item["Key"]
        for item in api.stack.client("s3").list_objects_v2(
            Bucket=api.stack.bucket, Prefix=f"cases/guessed/{job['jobId']}/"
        )["Contents"]
    ]
    base = job["statusUrl"].partition("/status/")[0]
    for path in (key, "status/guessed/AAAAAAAAAAAAAAAAAAAAAA.json", "status/", ""):
        assert api.http.get(f"{base}/{path}").status_code == 403
