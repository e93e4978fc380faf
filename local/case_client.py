"""The API as the demo uses it: submit a case, follow its job, fetch its pictures."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx

type Job = dict[str, Any]
OPEN = ("pending", "generating")
POLL_S = 0.5
"""Faster than the API's `Retry-After` asks, because the demo is to look alive and pays nobody."""


class Refused(Exception):
    """The API answered with a problem, or the case file is no case; the message is for people."""


def read_case(path: Path) -> dict[str, Any]:
    """The case in a JSON file."""
    try:
        case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise Refused(f"{path} is not JSON: {error}") from error
    return case


class CaseClient:
    """One API; a context manager, which closes its connections."""

    def __init__(self, api_url: str, token: str) -> None:
        self._http = httpx.Client(timeout=30, trust_env=False, follow_redirects=True)
        self._authorization = {"Authorization": f"Bearer {token}"}
        self._api_url = api_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def submit(self, case: dict[str, Any]) -> Job:
        """The job of `case`, new or the one there is."""
        url = f"{self._api_url}/api/generate-case-images"
        return self._job(self._http.post(url, json=case, headers=self._authorization))

    def follow(self, job: Job) -> Iterator[Job]:
        """`job`, then each changed state of it, until it has ended."""
        yield job
        etag = ""
        while job["status"] in OPEN:
            time.sleep(POLL_S)
            answer = self._http.get(
                f"{self._api_url}/api/cases/{job['caseId']}/image-job",
                headers={**self._authorization, "If-None-Match": etag},
            )
            if answer.status_code != httpx.codes.NOT_MODIFIED:
                job, etag = self._job(answer), answer.headers["etag"]
            yield job

    def fetch(self, link: str) -> bytes:
        """A picture, from its link in the job."""
        answer = self._http.get(link)
        if answer.status_code != httpx.codes.OK:
            raise Refused(f"a picture could not be fetched: {answer.status_code}")
        return answer.content

    def _job(self, answer: httpx.Response) -> Job:
        body: Job = answer.json()
        if answer.is_error:  # the gateway's own errors have a message only
            said = f"{body.get('title')}: {body.get('detail')}" if "title" in body else body.get("message")
            raise Refused(f"{answer.status_code} {said}")
        return body
