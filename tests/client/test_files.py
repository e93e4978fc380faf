"""Reading cases and tokens from files, and writing pictures."""

import json
import os
from pathlib import Path

import pytest
from darkroom.wire.model import parse
from darkroom.wire.requests import SubmitRequest
from darkroom_client import BadFile, Job, read_case
from darkroom_client.files import read_token, write

from local import package
from tests.client.server import job_response, the_job

SAMPLE = package.ROOT / "events" / "case.json"
GOOD = {"caseId": "c", "evidence": [{"id": "e", "name": "Key – “brass”", "description": "old"}]}
JOB = Job.model_validate_json(job_response(the_job()).content)
YAML = """
caseId: c
evidence:
  - id: e
    name: Key – “brass”
    description: old
"""


def test_the_sample_case_is_read_and_the_service_accepts_what_is_sent() -> None:
    case = read_case(SAMPLE)
    body = case.model_dump_json(by_alias=True, exclude_none=True).encode()
    assert parse(SubmitRequest, body) == parse(SubmitRequest, SAMPLE.read_bytes())


def test_json_with_a_mark_and_yaml_are_the_same_case(tmp_path: Path) -> None:
    marked, yaml = tmp_path / "case.json", tmp_path / "case.yaml"
    marked.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    yaml.write_text(YAML)
    assert read_case(marked) == read_case(yaml)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("case.json", b'{"caseId": "c",}', "line 1 column 15"),
        ("case.json", b"[1]", "must be an object"),
        ("case.json", b'{"caseId": "\xff"}', "byte 12 is not UTF-8"),
        ("case.json", b'{"caseId": "a", "caseId": "b"}', "the key 'caseId' is given twice"),
        ("case.json", b'{"caseId": 42}', "caseId: Input should be a valid string"),
        ("case.json", b'{"caseId": "c", "evidance": []}', "evidance: Extra inputs are not permitted"),
        ("case.json", b'{"caseId": "c", "evidence": {}}', "evidence: Input should be a valid list"),
        (
            "case.json",
            b'{"caseId": "c", "evidence": [{"id": "e", "name": "n", "description": null}]}',
            "evidence[0].description: Input should be a valid string",
        ),
        ("case.yaml", b"caseId: c\ncaseId: d", "line 2: the key 'caseId' is given twice"),
        ("case.yaml", b"caseId: [", "line 1"),
        ("case.yaml", b"caseId: !!python/object:os.system {}", "line 1: a tag"),
        ("case.yaml", b"caseId: {{ case }}", "line 1: a key must be text"),
        ("case.yaml", b"caseId: c\n? [a, b]\n: c", "line 2: a key must be text"),
        ("case.yaml", b"caseId: c\n1: c", "line 2: a key must be text"),
        ("case.yaml", b"caseId: c\n<<: {evidence: []}", "line 2: a key must be text"),
        ("case.yaml", b"maxCostUsd: !!bool maybe", "line 1: a tag"),
        ("case.yaml", b"caseId: !!binary x", "line 1: a tag"),
        ("case.yaml", b"evidence: &a [*a]", "line 1: an alias"),
        ("case.yaml", b"maxCostUsd: 0x" + b"f" * 9_000, "line 1: the number 0xffffffff"),
        ("case.yaml", b"caseId: 2001-99-99", "month must be in 1..12"),
        ("case.yaml", b"caseId: a\n---\ncaseId: b", "single document"),
        ("case.YAML", b"caseId: [", "line 1"),
        ("case.json", b"[" * 900_000, "nested too deeply"),
        ("case.yaml", b"[" * 3_000, "nested too deeply"),
        ("case.json", b'{"maxCostUsd": ' + b"9" * 5000 + b"}", "the number 9999999999"),
        ("case.json", b'{"caseId": "c", "maxCostUsd": 1e999}', "maxCostUsd: Input should be a finite number"),
        ("case.json", b'{"caseId": "c", "maxCostUsd": NaN}', "NaN is not a number in JSON"),
        ("case.json", b'{"caseId": "\\ud800"}', "caseId: Input should be a valid string"),
        ("case.json", b" " * 1_100_000, "larger than 1048576 bytes"),
        ("case.json", '{"caseId": "c"}'.encode("utf-16"), "it is UTF-16, not UTF-8"),
        ("case.json", b"\x00", "line 1"),
        ("case.yml", b"just words", "must be an object"),
    ],
)
def test_a_file_that_is_not_a_case_is_refused_with_the_place_of_the_error(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read_case(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none\.json: No such file"):
        read_case(tmp_path / "none.json")


def test_of_a_thousand_errors_in_a_file_twenty_are_named(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text("{" + ",".join(f'"{"k" * 200}{n}":0' for n in range(1000)) + "}")
    with pytest.raises(BadFile, match="and 981 more") as caught:
        read_case(path)
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_token_file_may_have_any_encoding_that_windows_writes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "token"
    path.write_bytes("the-token\r\n".encode(encoding))
    assert read_token(path) == "the-token"


def test_a_token_file_that_is_not_text_is_refused_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"secret\xff")
    with pytest.raises(BadFile) as caught:
        read_token(path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o027, 0o640)])
def test_files_have_the_permissions_of_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        written = write(tmp_path / "out", JOB, {"evidence-1": b"jpeg"})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in written} == {mode}


def test_no_file_is_left_half_written(tmp_path: Path) -> None:
    (tmp_path / "job.json").mkdir()
    with pytest.raises(OSError, match=r"job\.json"):
        write(tmp_path, JOB, {"evidence-1": b"jpeg", "x" * 5000: b"jpeg"})
    assert sorted(path.name[:3] for path in tmp_path.iterdir()) == ["-c5", "evi", "job"]
