"""The state of a job as an object in S3, for clients that poll without asking a function."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from darkroom.domain.job import Job
from darkroom.wire.job import JobView
from darkroom.wire.model import dump

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEEP_S = 2
"""A cache may keep it as long as a client waits between two questions."""


class StatusDocuments:
    """Writes them. Each says everything, so one that is repeated or comes late is mended by the next."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, job: Job, image: Callable[[str], str]) -> None:
        """Store `job` with `image` for each picture, in the form in which the API answers it."""
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=dump(JobView.of(job, image)).encode(),
            ContentType="application/json",
            CacheControl=f"public, max-age={KEEP_S}",
        )
