"""Entity tags of RFC 9110: the fields `If-Match` and `If-None-Match`, and what they match.

A client may send several fields of one name; API Gateway joins them by commas, which is the list form.
"""

import re
from collections.abc import Container
from dataclasses import dataclass

ANY = "*"

# One step of a list: a tag, a comma, or the whitespace between them. Each character is looked at once.
# A space in a tag is of RFC 2616, which clients of before still speak.
_STEP = re.compile(r'(?P<weak>W/)?"(?P<tag>[ !#-~\x80-\U0010ffff]*)"|(?P<comma>,)|[ \t]+')


@dataclass(frozen=True)
class EntityTag:
    """A tag without its quotes."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


def entity_tags(field: str) -> list[EntityTag] | None:
    """Return the tags that `field` lists; None for `*`. Raises ValueError when it is neither.

    Empty elements of a list are skipped, as RFC 9110 (5.6.1.2) wants.
    """
    if field.strip(" \t") == ANY:
        return None
    found: list[EntityTag] = []
    after_tag, position = False, 0
    while position < len(field):
        step = _STEP.match(field, position)
        if step is None or (after_tag and step["tag"] is not None):
            raise ValueError("must be * or a list of quoted tags")
        if step["tag"] is not None:
            found.append(EntityTag(step["tag"], weak=step["weak"] is not None))
            after_tag = True
        elif step["comma"]:
            after_tag = False
        position = step.end()
    if not found:
        raise ValueError("must be * or a list of quoted tags")
    return found


def is_known(if_none_match: str | None, tag: EntityTag) -> bool:
    """Return whether the field names `tag`, by the weak comparison that RFC 9110 (13.1.2) prescribes.

    A field that cannot be read names nothing: the client gets the whole answer once more.
    """
    try:
        known = entity_tags(if_none_match) if if_none_match is not None else []
    except ValueError:
        return False
    return known is None or any(each.opaque == tag.opaque for each in known)


class _EveryState:
    """The states that a job can have."""

    def __contains__(self, state: object) -> bool:
        return True


def named_states(if_match: str | None) -> Container[str] | None:
    """Return the states of a job that the field names, every one for `*`; None when it is absent.

    A tag of ours is the state and perhaps the form in which it was fetched, with a dot between them. A weak
    tag names nothing, by the strong comparison that RFC 9110 (13.1.1) prescribes. Raises ValueError.
    """
    if if_match is None:
        return None
    named = entity_tags(if_match)
    if named is None:
        return _EveryState()
    return frozenset(".".join(each.opaque.split(".")[:2]) for each in named if not each.weak)
