"""The shots of a case in JSON: a list of evidence and a list of locations."""

from collections.abc import Iterable
from typing import Protocol

from darkroom.domain.case import Shot, ShotKind, location_or_evidence


class _Item(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...


class _HasKind(Protocol):
    @property
    def kind(self) -> ShotKind | str: ...


def to_shots(evidence: Iterable[_Item], locations: Iterable[_Item]) -> tuple[Shot, ...]:
    """Return the shots that the items describe, evidence first."""
    kinds = ((ShotKind.EVIDENCE, evidence), (ShotKind.LOCATION, locations))
    return tuple(
        Shot(id=item.id, kind=kind, name=item.name, description=item.description)
        for kind, items in kinds
        for item in items
    )


def of_kind[S: _HasKind](shots: Iterable[S], kind: ShotKind) -> list[S]:
    """Return those of `shots` that belong to the list of `kind`, in their order.

    A kind that only a newer release knows belongs to the evidence.
    """
    return [shot for shot in shots if location_or_evidence(shot.kind) is kind]
