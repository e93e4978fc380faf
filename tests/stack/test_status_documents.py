"""Polling a status document on the running stack invokes no function."""

from typing import Any

from testing.real_time import wait_for
from tests.stack.conftest import Api, a_case, has_ended


def ended(api: Api, url: str) -> dict[str, Any]:
    """Return the document when its job has ended."""
    tag = ""

    def read() -> dict[str, Any] | None:
        nonlocal tag
        response = api.http.get(url, headers={"if-none-match": tag})
        assert response.status_code in (200, 304, 403)  # 403: not written yet
        if response.status_code != 200:
            return None
        tag = response.headers["etag"]
        found: dict[str, Any] = response.json()
        return found

    document = wait_for(read, lambda found: found is not None and has_ended(found), "the last document")
    assert document is not None
    return document


def test_the_document_alone_leads_to_the_pictures(api: Api) -> None:
    job = api.call("POST", "/api/generate-case-images", json=a_case("documented")).json()
    document = ended(api, job["statusUrl"])
    status = (document["status"], document["completedImages"], document["jobId"])
    assert status == ("completed", 3, job["jobId"])
    picture = api.http.get(document["evidenceImages"]["e-0"], follow_redirects=True)
    assert picture.content.startswith(b"\xff\xd8")
    assert document == api.job("documented")


def test_only_documents_are_served_and_none_at_a_guessed_address(api: Api) -> None:
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
