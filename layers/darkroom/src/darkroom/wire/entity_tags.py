"""Entity tags (RFC 9110): parse and compare the header fields `If-Match` and `If-None-Match`.

A client may send several fields of one name. API Gateway joins them with commas, which gives a valid list.
"""

import re
from collections.abc import Container
from dataclasses import dataclass

ANY = "*"

# One step of a list: a tag, a comma, or whitespace. Each character is read once, so time is linear.
# RFC 2616 allowed a space in a tag, and old clients still send it.
_STEP = re.compile(r'(?P<weak>W/)?"(?P<tag>[ !#-~\x80-\U0010ffff]*)"|(?P<comma>,)|[ \t]+')


@dataclass(frozen=True)
class EntityTag:
    """An entity tag. `opaque` is its text without the quotes."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.opaque}"'


def entity_tags(field: str) -> list[EntityTag] | None:
    """Return the tags that `field` lists, or None for `*`. Raise ValueError if it is neither.

    Empty elements of the list are skipped, as RFC 9110 (5.6.1.2) requires.
    """
    if field.strip(" \t") == ANY:
        return None
    found: list[EntityTag] = []
    after_tag = False
    position = 0
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
    """Return True if the field names `tag`, by the weak comparison of RFC 9110 (13.1.2).

    A malformed field names no tag: the client then receives the whole response again.
    """
    try:
        known = entity_tags(if_none_match) if if_none_match is not None else []
    except ValueError:
        return False
    return known is None or any(found.opaque == tag.opaque for found in known)


class _EveryState:
    """The set of all states that a job can have."""

    def __contains__(self, state: object) -> bool:
        return True


def named_states(if_match: str | None) -> Container[str] | None:
    """Return the states of a job that the field names, all states for `*`, None if it is absent.

    A tag is `<job id>.<version>`, which is the state, and usually `.<form>`. A weak tag names no state, by
    the strong comparison of RFC 9110 (13.1.1). Raise ValueError if the field is malformed.
    """
    if if_match is None:
        return None
    named = entity_tags(if_match)
    if named is None:
        return _EveryState()
    return frozenset(".".join(tag.opaque.split(".")[:2]) for tag in named if not tag.weak)
