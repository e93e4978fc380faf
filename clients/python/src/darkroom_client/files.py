"""Read cases and tokens from files, write pictures to files."""

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from darkroom_client.models import Case, Job

MAX_FILE_BYTES = 1_048_576
"""Maximum size of a file: four times that of a request, because a file may have comments and escapes."""

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MAX_ERRORS = 20
_MAX_DIGITS = 32
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TEXT = "tag:yaml.org,2002:str"


class BadFile(Exception):
    """The file cannot be read, or is not a case; the message says what is wrong and where."""


def read_case(path: Path) -> Case:
    """Return the case in a JSON or YAML file (`.yaml`, `.yml`); raise BadFile.

    The file must be UTF-8, with or without a byte-order mark.
    """
    data = _read(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = "it is UTF-16, not UTF-8" if data[:2] in _UTF16 else f"byte {error.start} is not UTF-8"
        raise BadFile(f"{path}: {found}") from error
    try:
        content = _yaml(text) if path.suffix.lower() in (".yaml", ".yml") else _json(text)
    except RecursionError as error:
        raise BadFile(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise BadFile(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path}: must be an object with caseId, evidence and locations")
    try:
        return Case.model_validate(content)
    except ValidationError as error:
        wrong = [f"{_where(e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
    if len(wrong) > _MAX_ERRORS:
        wrong[_MAX_ERRORS:] = [f"and {len(wrong) - _MAX_ERRORS} more"]
    raise BadFile(f"{path}:\n  " + "\n  ".join(wrong))


def read_token(path: Path) -> str:
    """Return the token in a file in UTF-8, or in UTF-16 with a byte-order mark; raise BadFile."""
    data = _read(path)
    try:
        return data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: is not text") from error


def write(folder: Path, job: Job, pictures: Mapping[str, bytes]) -> list[Path]:
    """Write each picture as `<id>.jpg`, and `job.json`; a file is replaced completely or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {f"{_name(i)}.jpg": jpeg for i, jpeg in pictures.items()}
    text = job.model_dump_json(by_alias=True, exclude_none=True, indent=2)
    contents["job.json"] = text.encode() + b"\n"
    for name, content in contents.items():
        _replace(folder / name, content)
    return [folder / name for name in contents]


def _read(path: Path) -> bytes:
    """Return the content of a file; raise BadFile if it is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BadFile(f"{str(path)!r}: {error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise BadFile(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    return data


def _replace(path: Path, content: bytes) -> None:
    temporary = path.parent / f".darkroom-{secrets.token_hex(8)}"
    try:
        # open() and not tempfile creates it, so that it gets the permissions of the umask.
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _name(item_id: str) -> str:
    """Return a file name for `item_id`. A server must not be able to name a file in another folder."""
    return (
        item_id
        if _SAFE.fullmatch(item_id)
        else "-" + hashlib.sha256(item_id.encode(errors="surrogatepass")).hexdigest()
    )


def _where(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_brief(part)}" for part in location)
    return text.removeprefix(".") or "the case"


def _brief(text: str, longest: int = 80) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, times in Counter(name for name, _ in pairs).items():
            if times > 1:
                raise ValueError(f"the key {_brief(name)!r} is given twice in one object")
        return dict(pairs)

    def whole(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            raise ValueError(f"the number {digits[:10]}… is too long")
        return int(digits)

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not a number in JSON")

    return json.loads(text, object_pairs_hook=once, parse_int=whole, parse_constant=constant)


class _Loader(yaml.SafeLoader):
    """A loader for the YAML that JSON can express: no aliases, no tags, and keys that are unique text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        wrong = None
        if isinstance(event, yaml.AliasEvent):
            wrong = f"an alias (*{_brief(str(event.anchor))}) is not allowed"
        elif tag := getattr(event, "tag", None):
            wrong = f"a tag ({_brief(tag)}) is not allowed"
        if wrong:
            raise ValueError(f"line {line}: {wrong}")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT and len(node.value) > _MAX_DIGITS:
            raise ValueError(f"line {line}: the number {node.value[:10]}… is too long")
        return node


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    names = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag != _TEXT:
            raise ValueError(f"line {line}: a key must be text")
        if key.value in names:
            raise ValueError(f"line {line}: the key {_brief(key.value)!r} is given twice in one object")
        names.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        raise ValueError(_brief(" ".join(str(error).split()), 400)) from error
