"""Cases read from files, pictures written to files."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from darkroom_client.models import Case, Job

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class BadFile(Exception):
    """The file is no case; the message says where."""


def read_case(path: Path) -> Case:
    """The case in a JSON or YAML file (`.yaml`, `.yml`), in UTF-8 with or without a mark; raises BadFile."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: byte {error.start} is not UTF-8") from error
    try:
        content = _yaml(text) if path.suffix in (".yaml", ".yml") else _json(text)
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path}: must be an object with caseId, evidence and locations")
    try:
        return Case.model_validate(content)
    except ValidationError as error:
        wrong = [f"{_where(e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
    raise BadFile(f"{path}:\n  " + "\n  ".join(wrong))


def write(folder: Path, job: Job, pictures: Mapping[str, bytes]) -> list[Path]:
    """Each picture as `<id>.jpg`, and `job.json`; a file is replaced as a whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {f"{_name(i)}.jpg": jpeg for i, jpeg in pictures.items()}
    told = job.model_dump_json(by_alias=True, exclude_none=True, indent=2)
    contents["job.json"] = told.encode() + b"\n"
    for name, content in contents.items():
        _replace(folder / name, content)
    return [folder / name for name in contents]


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".darkroom-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _name(item_id: str) -> str:
    """`item_id`, which no server may make another folder's file of."""
    return item_id if _SAFE.fullmatch(item_id) else "-" + item_id.encode().hex()


def _where(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "the case"


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"the key {twice[0]!r} is given twice in one object")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


class _Loader(yaml.SafeLoader):
    """YAML's safe part, in which no key may be given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = set()
    for key, _ in node.value:
        if key.value in names:
            line = key.start_mark.line + 1
            raise ValueError(f"line {line}: the key {key.value!r} is given twice in one object")
        names.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
