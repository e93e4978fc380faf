"""Pictures in S3."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.case import job_prefix
from darkroom.domain.errors import StorageFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_METADATA = 500
"""Characters of one value; S3 takes 2 KB of names and values together."""

# S3 answers 403 for a missing object to whoever may not list the bucket.
_GONE = {403, 404}


class S3Images:
    """boto3 blocks, so a put runs in a thread; it retries by itself."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
        """See ImageStore."""
        try:
            await asyncio.to_thread(
                self._client.put_object,
                Bucket=self._bucket,
                Key=key,
                Body=jpeg,
                ContentType="image/jpeg",
                CacheControl="private, max-age=31536000, immutable",
                Metadata=_metadata(facts),
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageFailed("the picture was made and could not be stored") from error

    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        """See ImageStore."""
        return await asyncio.to_thread(self.keys, case_id, job_id)

    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
        """See ImageIndex."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=job_prefix(case_id, job_id)
        )
        try:
            return [item["Key"] for page in pages for item in page.get("Contents", [])]
        except (BotoCoreError, ClientError) as error:
            raise StorageFailed("the pictures in storage could not be listed") from error

    def read(self, key: str, limit: int) -> bytes | None:
        """Return at most the first `limit` bytes of the picture; None when there is none at `key`."""
        try:
            with closing(self._client.get_object(Bucket=self._bucket, Key=key)["Body"]) as body:
                return body.read(limit)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _GONE:
                return None
            raise

    def origin(self) -> str:
        """Scheme and host of all addresses that `presign` gives."""
        address = urlsplit(self.presign("any", seconds=60))
        return f"{address.scheme}://{address.netloc}"

    def presign(self, key: str, *, seconds: int) -> str:
        """An address that anybody may fetch the picture from for `seconds`."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds
        )


def _metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """Return `facts` in printable ASCII, everything else escaped as in Python: S3 refuses other text."""
    return {name: ascii(value)[1:-1][:MAX_METADATA].strip() for name, value in facts.items()}
