"""Files that are cases, and files that are none."""

import json
from pathlib import Path

import pytest
from darkroom.wire.calls import SubmitRequest
from darkroom.wire.model import parse
from darkroom_client import BadFile, read_case

from local import package

SAMPLE = package.ROOT / "events" / "case.json"
GOOD = {"caseId": "c", "evidence": [{"id": "e", "name": "Key – “brass”", "description": "old"}]}
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
    ("name", "content", "said"),
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
        ("case.yaml", b"caseId: !!python/object:os.system {}", "could not determine a constructor"),
        ("case.yml", b"just words", "must be an object"),
    ],
)
def test_a_file_that_is_no_case_is_refused_with_the_place(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read_case(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none\.json: No such file"):
        read_case(tmp_path / "none.json")
