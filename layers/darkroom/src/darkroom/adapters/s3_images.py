"""Store pictures in S3."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, override
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.case import job_prefix
from darkroom.domain.shot_errors import StorageFailed
from darkroom.ports import ImageIndex, ImageStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_METADATA = 500
"""Characters of one value; S3 takes 2 KB of names and values together."""

_GONE = {403, 404}
"""Status codes of a missing object: 403 when the role may not list the bucket."""


class S3Images(ImageStore, ImageIndex):
    """Store pictures. boto3 blocks, so asynchronous methods run it in a thread. It retries by itself."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @override
    async def put(self, key: str, jpeg: bytes, facts: Mapping[str, str]) -> None:
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

    @override
    async def stored(self, case_id: str, job_id: str) -> Sequence[str]:
        return await asyncio.to_thread(self.keys, case_id, job_id)

    @override
    def keys(self, case_id: str, job_id: str) -> Sequence[str]:
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
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            with closing(found["Body"]) as body:
                return body.read(limit)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _GONE:
                return None
            raise

    def origin(self) -> str:
        """Return scheme and host of all addresses that `presign` returns."""
        address = urlsplit(self.presign("any", seconds=60))
        return f"{address.scheme}://{address.netloc}"

    def presign(self, key: str, *, seconds: int) -> str:
        """Return an address at which anybody may fetch the picture for `seconds`."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=seconds
        )


def _metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """Return `facts` in printable ASCII, other characters escaped as in Python: S3 refuses them."""
    escaped = {name: ascii(value)[1:-1] for name, value in facts.items()}
    return {name: value[:MAX_METADATA].strip() for name, value in escaped.items()}
