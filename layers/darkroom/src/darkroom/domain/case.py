"""What is to be photographed: a case, its shots, their prompts and where their pictures are kept."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched

from darkroom.domain.receivers import Receiver

MAX_SHOTS = 100
ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
"""Ids become parts of storage keys and of URLs, so nothing needs escaping in either."""

_ID = re.compile(ID_PATTERN.strip("^$"))


def is_id(text: str) -> bool:
    """Return whether a case, job or shot can have `text` as its id."""
    return _ID.fullmatch(text) is not None


class ShotKind(StrEnum):
    """What a shot shows; decides its prompt and its batch."""

    EVIDENCE = "evidence"
    LOCATION = "location"


_PROMPTS = {
    ShotKind.EVIDENCE: (
        "Evidence photography: {name}. {description}. Clear detail, forensic quality, neutral background."
    ),
    ShotKind.LOCATION: (
        "Atmospheric environmental photography: {name}. {description}."
        " Film noir aesthetic, dramatic lighting, moody atmosphere, empty location."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture to make."""

    id: str
    kind: ShotKind
    name: str
    description: str

    @property
    def prompt(self) -> str:
        """What the image model is asked."""
        name, description = self.name.rstrip(" ."), self.description.rstrip(" .")
        return _PROMPTS[self.kind].format(name=name, description=description)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a caller submits: at least one shot, ids unique, evidence before locations."""

    case_id: str
    shots: tuple[Shot, ...]
    max_cost_micro_usd: int | None = None
    """What its pictures may cost together; None leaves it to the deployment."""
    receiver: Receiver | None = None
    """Who is told what becomes of it."""

    @property
    def digest(self) -> str:
        """Equal exactly when two submissions ask for the same: pictures, names, price and receiver."""
        said: list[object] = [[s.kind, s.id, s.name, s.description] for s in self.shots]
        if self.max_cost_micro_usd is not None:
            said.insert(0, self.max_cost_micro_usd)
        if self.receiver is not None:
            said.insert(0, {"url": self.receiver.url, "events": sorted(self.receiver.events)})
        text = json.dumps(said)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def prompt_digest(prompt: str, *, salt: str) -> str:
    """Return the name of `prompt` in storage keys: another description has another, so never an old picture.

    Whoever is shown a picture's address sees it. Without `salt` nobody can test a guess at the prompt on it.
    """
    return hmac.new(salt.encode(), prompt.encode(), hashlib.sha256).hexdigest()[:16]


def job_prefix(case_id: str, job_id: str) -> str:
    """Where the pictures of a job are kept."""
    return f"cases/{case_id}/{job_id}/"


def image_prefix(case_id: str, job_id: str, shot_id: str) -> str:
    """Where the pictures of one shot are kept, whatever prompt and run they came from."""
    return f"{job_prefix(case_id, job_id)}{shot_id}/"


def image_key(case_id: str, job_id: str, shot_id: str, *, digest: str, run: int) -> str:
    """Where a run keeps the picture of a shot: no two runs and no two prompts share a key."""
    return f"{image_prefix(case_id, job_id, shot_id)}{digest}-{run}.jpg"


_KEY_END = re.compile(r"(?P<digest>[0-9a-f]{16})-(?P<run>[0-9]{1,6})\.jpg")


def image_run(key: str, *, case_id: str, job_id: str, shot_id: str, digest: str) -> int | None:
    """The run that made the picture at `key`; None when it is not one of the shot's current prompt."""
    prefix = image_prefix(case_id, job_id, shot_id)
    end = _KEY_END.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return int(end["run"]) if end is not None and end["digest"] == digest else None


def batches(shots: Sequence[Shot], sizes: dict[ShotKind, int]) -> list[tuple[Shot, ...]]:
    """Group shots for progress: evidence first, then locations, each in batches of its size."""
    return [
        batch
        for kind in ShotKind
        for batch in batched([s for s in shots if s.kind is kind], sizes[kind], strict=False)
    ]
