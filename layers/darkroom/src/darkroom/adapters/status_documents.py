"""Store the state of a job as an object in S3, for clients that poll without calling a function."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from darkroom.domain.job import Job
from darkroom.wire.job import JobView
from darkroom.wire.model import dump

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEEP_S = 2
"""Seconds that a cache may keep a document: the interval at which a client polls."""


class StatusDocuments:
    """Store status documents. Each holds the whole state, so the next one repairs a repeated or late one."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, job: Job, image: Callable[[str], str]) -> None:
        """Store `job` as the API returns it. `image` returns the link to the picture of a shot."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=dump(JobView.of(job, image)).encode(),
            ContentType="application/json",
            CacheControl=f"public, max-age={KEEP_S}",
        )
