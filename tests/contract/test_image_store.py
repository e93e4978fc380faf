"""The promises of ImageStore, kept by the fake and by S3."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws as clients
from darkroom.adapters.s3_images import S3Images
from darkroom.domain.shot_errors import StorageFailed
from darkroom.ports import ImageStore
from moto import mock_aws

from testing.fakes.images import MemoryImages

BUCKET = "pictures"
KEY = "cases/case-1/job-1/evidence-1/0123456789abcdef-1.jpg"


@pytest.fixture
def bucket() -> Iterator[S3Images]:
    with mock_aws():
        client = clients.s3()
        client.create_bucket(Bucket=BUCKET)
        yield S3Images(client, BUCKET)


def failing_fake() -> ImageStore:
    return MemoryImages(error=StorageFailed("no"))


def failing_s3() -> ImageStore:
    return S3Images(clients.s3(), "no-such-bucket")


@pytest.mark.parametrize(
    ("make", "around"), [(failing_fake, nullcontext()), (failing_s3, mock_aws())], ids=["fake", "s3"]
)
def test_a_picture_that_cannot_be_stored_is_an_error_of_its_shot(
    make: type[ImageStore], around: AbstractContextManager[object]
) -> None:
    with around:
        store = make()
        with pytest.raises(StorageFailed):
            asyncio.run(store.put(KEY, b"jpeg", {}))


def test_a_picture_lies_in_s3_with_its_type_and_facts(bucket: S3Images) -> None:
    asyncio.run(bucket.put(KEY, b"jpeg", {"shot": "evidence-1"}))
    stored = clients.s3().get_object(Bucket=BUCKET, Key=KEY)
    assert stored["Body"].read() == b"jpeg"
    assert (stored["ContentType"], stored["Metadata"]) == ("image/jpeg", {"shot": "evidence-1"})


STRANGE_TEXTS = [
    "图像-模型-2",
    "gemini-\u0440review",  # a Cyrillic letter that looks like a p
    "a\r\nx-amz-acl: public-read",
    "\x00\x07\x1b[31m\x7f\x85",
    "half an emoji \ud83d",
    "\ufeff  spaces around  ",
    "quotes ' and \" and a \\",
    "é" * 5_000,
    "long " * 5_000,
    "",
]


@pytest.mark.parametrize("text", STRANGE_TEXTS, ids=range(len(STRANGE_TEXTS)))
def test_a_picture_is_stored_whatever_its_facts(bucket: S3Images, text: str) -> None:
    asyncio.run(bucket.put(KEY, b"jpeg", {"shot": text, "model": text}))
    stored = clients.s3().get_object(Bucket=BUCKET, Key=KEY)
    metadata = stored["Metadata"]
    assert stored["Body"].read() == b"jpeg"
    assert "x-amz-acl" not in stored["ResponseMetadata"]["HTTPHeaders"]
    assert all(value.isascii() and value.isprintable() for value in metadata.values())
    assert sum(len(name) + len(value) for name, value in metadata.items()) <= 2048, "S3 takes no more"


def test_a_model_name_in_another_script_is_kept_escaped(bucket: S3Images) -> None:
    asyncio.run(bucket.put(KEY, b"jpeg", {"model": "图像-2"}))
    stored = clients.s3().head_object(Bucket=BUCKET, Key=KEY)
    assert stored["Metadata"] == {"model": "\\u56fe\\u50cf-2"}


def test_a_picture_is_read_up_to_the_requested_size_only(bucket: S3Images) -> None:
    asyncio.run(bucket.put(KEY, b"jpeg", {}))
    assert (bucket.read(KEY, 4), bucket.read(KEY, 2)) == (b"jpeg", b"jp")
    assert bucket.read("cases/none.jpg", 4) is None


def test_a_picture_that_may_not_be_listed_is_gone(bucket: S3Images) -> None:
    with Stubber(clients.s3()) as stubber:
        stubber.add_client_error("get_object", "AccessDenied", http_status_code=403)
        assert bucket.read(KEY, 4) is None


def test_a_presigned_address_names_the_picture_and_its_expiry(bucket: S3Images) -> None:
    address = bucket.presign(KEY, seconds=300)
    assert KEY in address
    assert "X-Amz-Expires=300" in address


async def put_all(store: ImageStore, keys: list[str]) -> list[str]:
    for key in keys:
        await store.put(key, b"jpeg", {})
    return list(await store.stored("case-1", "job-1"))


@pytest.mark.parametrize("kind", ["fake", "s3"])
def test_all_pictures_of_a_job_are_listed_and_of_no_other(kind: str, bucket: S3Images) -> None:
    store = MemoryImages() if kind == "fake" else bucket
    mine = [f"cases/case-1/job-1/e-{i}/0123456789abcdef-1.jpg" for i in range(3)]
    others = [
        "cases/case-1/job-11/e-1/0123456789abcdef-1.jpg",
        "cases/case-1/job-2/e-1/0123456789abcdef-1.jpg",
        "cases/case-11/job-1/e-1/0123456789abcdef-1.jpg",
    ]
    assert sorted(asyncio.run(put_all(store, mine + others))) == mine
    assert sorted(store.keys("case-1", "job-1")) == mine


def test_more_pictures_than_fit_a_page_are_listed(bucket: S3Images) -> None:
    keys = [f"cases/case-1/job-1/e-{i:04}/0123456789abcdef-1.jpg" for i in range(1005)]
    for key in keys:
        clients.s3().put_object(Bucket=BUCKET, Key=key, Body=b"")
    assert sorted(bucket.keys("case-1", "job-1")) == keys


@pytest.mark.parametrize(
    ("make", "around"), [(failing_fake, nullcontext()), (failing_s3, mock_aws())], ids=["fake", "s3"]
)
def test_pictures_that_cannot_be_listed_are_an_error(
    make: type[MemoryImages], around: AbstractContextManager[object]
) -> None:
    with around, pytest.raises(StorageFailed):
        make().keys("case-1", "job-1")
