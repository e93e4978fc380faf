"""A case: its shots, their prompts, and the storage keys of their pictures."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import batched

from darkroom.domain.errors import Unreadable
from darkroom.domain.receivers import Receiver
from darkroom.domain.words import Unknown

MAX_SHOTS = 100
ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
"""Pattern of an id. Ids become parts of storage keys and URLs, so no character needs escaping there."""

_ID = re.compile(ID_PATTERN.strip("^$"))


def is_id(text: str) -> bool:
    """Return True if a case, job or shot can have `text` as its id."""
    return _ID.fullmatch(text) is not None


class ShotKind(StrEnum):
    """Kind of a shot. It decides the prompt and the batch."""

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
    kind: ShotKind | str
    name: str
    description: str
    more: tuple[object, ...] = ()
    """Stored values that this release does not know."""

    @property
    def prompt(self) -> str:
        """Text that is sent to the image model. Raises Unreadable for a kind of a newer release."""
        if self.kind not in _PROMPTS:
            raise Unreadable("this release has no prompt for a shot of this kind")
        name = self.name.rstrip(" .")
        description = self.description.rstrip(" .")
        return _PROMPTS[ShotKind(self.kind)].format(name=name, description=description)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A caller's submission: at least one shot, with unique ids, evidence before locations."""

    case_id: str
    shots: tuple[Shot, ...]
    max_cost_micro_usd: int | None = None
    """Most that all its pictures may cost, in micro-USD; None leaves the limit to the deployment."""
    receiver: Receiver | None = None
    """Receiver of the case's callbacks; None sends none."""
    unknown: Unknown = field(default_factory=dict)
    """Stored attributes that this release does not know."""

    @property
    def digest(self) -> str:
        """Digest of the submission. Two are equal exactly when shots, cost limit and receiver are equal."""
        fields: list[object] = [[s.kind, s.id, s.name, s.description] for s in self.shots]
        if self.max_cost_micro_usd is not None:
            fields.insert(0, self.max_cost_micro_usd)
        if self.receiver is not None:
            fields.insert(0, {"url": self.receiver.url, "events": sorted(self.receiver.events)})
        text = json.dumps(fields)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def prompt_digest(prompt: str, *, salt: str) -> str:
    """Return the name of `prompt` in storage keys. Another description has another name, so no old picture.

    The name is part of a picture's address. Without the secret `salt` nobody can test a guess at the prompt.
    """
    return hmac.new(salt.encode(), prompt.encode(), hashlib.sha256).hexdigest()[:16]


def job_prefix(case_id: str, job_id: str) -> str:
    """Return the beginning of the storage keys of a job's pictures."""
    return f"cases/{case_id}/{job_id}/"


def image_prefix(case_id: str, job_id: str, shot_id: str) -> str:
    """Return the beginning of the storage keys of one shot's pictures, of every prompt and run."""
    return f"{job_prefix(case_id, job_id)}{shot_id}/"


def image_key(case_id: str, job_id: str, shot_id: str, *, digest: str, run: int) -> str:
    """Return the storage key of a shot's picture. No two runs and no two prompts share a key."""
    return f"{image_prefix(case_id, job_id, shot_id)}{digest}-{run}.jpg"


_KEY_END = re.compile(r"(?P<digest>[0-9a-f]{16})-(?P<run>[0-9]{1,6})\.jpg")


def image_run(key: str, *, case_id: str, job_id: str, shot_id: str, digest: str) -> int | None:
    """Return the run that made the picture at `key`; None when it is not of the shot's current prompt."""
    prefix = image_prefix(case_id, job_id, shot_id)
    end = _KEY_END.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return int(end["run"]) if end is not None and end["digest"] == digest else None


def key_run(key: str) -> int | None:
    """Return the run that made the picture at `key`, with any prompt; None if `key` is no picture's."""
    end = _KEY_END.fullmatch(key.rpartition("/")[2])
    return int(end["run"]) if end is not None else None


def location_or_evidence(kind: ShotKind | str) -> ShotKind:
    """Return the list of `kind` where there are only two: evidence, unless it is a location."""
    return ShotKind.LOCATION if kind == ShotKind.LOCATION else ShotKind.EVIDENCE


def batches(shots: Sequence[Shot], sizes: Mapping[ShotKind, int]) -> list[tuple[Shot, ...]]:
    """Return the shots in batches of their kind's size: evidence first, then locations."""
    by_kind = {kind: [s for s in shots if location_or_evidence(s.kind) is kind] for kind in ShotKind}
    return [batch for kind in ShotKind for batch in batched(by_kind[kind], sizes[kind], strict=False)]
