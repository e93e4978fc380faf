"""The forms in which names, base64 and JSON of providers are read."""

import base64
from urllib.parse import quote

import pytest
from darkroom.adapters.providers import json_body
from darkroom.domain.shot_errors import BadImage


@pytest.mark.parametrize("value", ["IMAGE_SAFETY", "gemini-3.1-flash-image", "stability.sd3:0", "a" * 64])
def test_a_name_may_be_quoted(value: str) -> None:
    assert json_body.word(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "a brass key",
        "",
        "a" * 65,
        None,
        7,
        ["SAFETY"],
        "line\nbreak",
        "end\n",
        "图像-模型",
        "рreview",
        "٣",
        "\ud83d",
    ],
)
def test_a_text_or_a_name_in_another_script_may_not_be_quoted(value: object) -> None:
    assert json_body.word(value) == "?"


@pytest.mark.parametrize(
    "data",
    ["", None, 7, [], "not base64!", "QUJDR", "é", "\ud83d", "QU=JD", "data:image/png;base64,", "===="],
)
def test_what_is_not_base64_is_a_bad_image(data: object) -> None:
    with pytest.raises(BadImage):
        json_body.decoded(data)


PICTURE = bytes(range(256)) + b"\xfb\xff"
PLAIN = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.rstrip("="),
        PLAIN + "==",
        base64.encodebytes(PICTURE).decode(),
        base64.encodebytes(PICTURE).decode().replace("\n", "\r\n"),
        f"  {PLAIN}\n",
        base64.urlsafe_b64encode(PICTURE).decode(),
        base64.urlsafe_b64encode(PICTURE).decode().rstrip("="),
        f"data:image/png;base64,{PLAIN}",
        f"DATA:image/png;charset=utf-8;BASE64,{PLAIN}",
        f"data:;base64,{base64.encodebytes(PICTURE).decode()}",
        f"data:image/png;base64,{quote(PLAIN, safe='')}",
        f"\ufeff{PLAIN}",
        base64.encodebytes(PICTURE).decode().replace("\n", "\\n"),
    ],
)
def test_base64_is_read_in_every_form_that_gateways_write(data: str) -> None:
    assert json_body.decoded(data) == PICTURE


@pytest.mark.parametrize("data", [f"QUJD{' ' * 200_000}", f"{' ' * 200_000}QUJD", "QUJD\\n" + "\n" * 200_000])
def test_white_space_without_end_takes_no_time(data: str) -> None:
    assert json_body.decoded(data) == b"ABC"


TEXT = '{"Inner": {"someKey": ["é", {"otherKEY": 1}]}, "b64_json": "QUJD"}'
READ = {"inner": {"some_key": ["é", {"other_key": 1}]}, "b64_json": "QUJD"}


@pytest.mark.parametrize(
    "body",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-32"),
        f"[{TEXT}]".encode(),
        f'[7, null, {TEXT}, {{"another": 1}}]'.encode(),
        f" \n\ufeff{TEXT}".encode(),
        f"{TEXT}\0\0".encode(),
        f'{TEXT}\n{{"usage": 1}}'.encode(),
        f'{TEXT[:-1]}, "some_null": null, "b64Json": null}}'.encode(),
    ],
)
def test_json_is_read_in_every_encoding_and_from_an_array(body: bytes) -> None:
    assert json_body.as_object(body) == READ


@pytest.mark.parametrize(
    "beside", [b"\xff\xfe", b"caf\xe9", b"\\ud83d", b"\\ude00", b"a\nb", b"\x01", b"\xf0\x9f"]
)
def test_a_picture_beside_a_broken_text_is_read(beside: bytes) -> None:
    body = b'{"text": "Here ' + beside + b'", "data": "QUJD"}'
    assert (json_body.as_object(body) or {})["data"] == "QUJD"


@pytest.mark.parametrize(
    "body", [b"", b"[" * 100_000, b'{"a":' * 100_000, b"\xef\xbb\xbf", b"[]", b"[7]", b'"text"', b"7 {}"]
)
def test_a_body_without_an_object_gives_none(body: bytes) -> None:
    assert json_body.as_object(body) is None
