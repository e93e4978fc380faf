"""What a run has done, as its snapshots tell it."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field

from darkroom.domain.case import MAX_SHOTS
from darkroom.domain.errors import FieldError, InvalidInput
from darkroom.domain.history import MAX_EVENTS, Event, EventKind
from darkroom.wire.model import Internal

MAX_OUTCOME = 200

_Moment = Annotated[int, Field(ge=0, le=100_000_000_000_000)]
_Number = Annotated[int, Field(ge=0, le=1_000_000_000)]
_Text = Annotated[str, Field(max_length=MAX_OUTCOME)]
_Place = Annotated[int, Field(ge=0, lt=MAX_SHOTS)]

type Entry = tuple[EventKind, _Moment, _Moment, _Text, _Number | None, _Place | None, Literal[0, 1], _Moment]
"""Kind, ms after `since`, how long in ms, outcome, number, place of the shot, hedge, cost in micro-USD."""


class LogView(Internal):
    """Small, because every snapshot tells all of it again: no names, and each shot's id only once."""

    shots: Annotated[list[_Text], Field(max_length=MAX_SHOTS)]
    """The ids that `events` means by their places here."""
    since: _Moment
    """When the first event was."""
    events: Annotated[list[Entry], Field(max_length=MAX_EVENTS)]
    omitted: Annotated[int, Field(ge=0)] = 0

    @classmethod
    def of(cls, events: Sequence[Event], omitted: int) -> Self | None:
        """`events` as they travel; None when there are none."""
        if not events:
            return None
        shots = list(dict.fromkeys(event.shot_id for event in events if event.shot_id is not None))
        places = {shot_id: place for place, shot_id in enumerate(shots)}
        since = min(event.at for event in events)
        entries: list[Entry] = [
            (
                event.kind,
                event.at - since,
                max(0, event.milliseconds),
                event.outcome[:MAX_OUTCOME],
                event.number,
                None if event.shot_id is None else places[event.shot_id],
                1 if event.hedge else 0,
                event.cost_micro_usd,
            )
            for event in events
        ]
        return cls(shots=shots, since=since, events=entries, omitted=omitted)

    def to_events(self) -> tuple[Event, ...]:
        """The events in the domain's words; raises InvalidInput for a place that has no shot."""
        if any(entry[5] is not None and entry[5] >= len(self.shots) for entry in self.events):
            raise InvalidInput("the log names a shot it does not have", [FieldError("log.events", "places")])
        return tuple(
            Event(
                kind=kind,
                at=self.since + after,
                milliseconds=milliseconds,
                outcome=outcome,
                number=number,
                shot_id=None if place is None else self.shots[place],
                hedge=bool(hedge),
                cost_micro_usd=cost,
            )
            for kind, after, milliseconds, outcome, number, place, hedge, cost in self.events
        )
