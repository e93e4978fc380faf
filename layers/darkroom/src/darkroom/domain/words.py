"""Words of other releases: what this release knows is a member of an enum, and everything else stays a text.

During a deployment an older and a newer release read what the other has written. An unknown word is kept and
written back.
"""

from collections.abc import Mapping
from enum import StrEnum

type Unknown = Mapping[str, object]
"""Attributes of a stored record that this release does not know. They are written back as they were."""


def word[E: StrEnum](known: type[E], text: str) -> E | str:
    """Return the member of `known` for `text`; `text` itself if this release does not know it."""
    try:
        return known(text)
    except ValueError:
        return text
