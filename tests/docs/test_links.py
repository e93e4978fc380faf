"""Every link between the documents leads somewhere, and every document can be found from the index."""

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from local import package

LISTED = subprocess.run(
    ["/usr/bin/env", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=package.ROOT,
    capture_output=True,
    text=True,
    check=True,
)
DOCUMENTS = sorted(name for name in LISTED.stdout.split("\0") if name and (package.ROOT / name).exists())
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INDEX = "docs/README.md"


@cache
def prose(path: Path) -> str:
    """Return a document without its blocks and spans of code."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!\[)`[^`\n]*`(?!\])", "", text)


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(name: str) -> list[str]:
    """Return the targets of a document's links into this repository."""
    return [to for to in LINK.findall(prose(package.ROOT / name)) if "://" not in to and "mailto:" not in to]


def resolve(name: str, target: str) -> Path:
    """Return the file or folder that a link of a document names."""
    file = target.partition("#")[0]
    return ((package.ROOT / name).parent / file).resolve() if file else package.ROOT / name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_somewhere(name: str) -> None:
    dead = []
    for target in links(name):
        path, anchor = resolve(name, target), target.partition("#")[2]
        known = anchors(path) if anchor and path.suffix == ".md" and path.exists() else {anchor}
        if not path.exists() or anchor not in known:
            dead.append(target)
    assert dead == []


def test_every_document_is_reached_from_the_index() -> None:
    reached, ahead = set(), [INDEX]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        targets = [resolve(name, target) for target in links(name)]
        inside = [path for path in targets if path.suffix == ".md" and path.is_relative_to(package.ROOT)]
        names = {path.relative_to(package.ROOT).as_posix() for path in inside}
        ahead += sorted(names - reached - set(ahead))
    assert {name for name in DOCUMENTS if name.startswith("docs/")} - reached == set()
