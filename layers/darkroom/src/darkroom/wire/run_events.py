"""The events of a run, as its snapshots contain them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from darkroom.domain.case import MAX_SHOTS
from darkroom.domain.errors import FieldError, InvalidInput
from darkroom.domain.run import MAX_EVENTS, EventKind, RunEvent
from darkroom.domain.words import word
from darkroom.wire.model import Internal

MAX_OUTCOME = 200
"""Maximum characters of an event's outcome."""

_Moment = Annotated[int, Field(ge=0, le=100_000_000_000_000)]
_Number = Annotated[int, Field(ge=0, le=1_000_000_000)]
_Text = Annotated[str, Field(max_length=MAX_OUTCOME)]
_ShotIndex = Annotated[int, Field(ge=0, lt=MAX_SHOTS)]

_VALUES = 8
"""Values of an event."""

type Entry = tuple[_Text, _Moment, _Moment, _Text, _Number | None, _ShotIndex | None, Literal[0, 1], _Moment]
"""Kind, start (ms after `since`), duration (ms), outcome, number, index in `shots`, hedge, micro-USD."""


def _known_part(entry: Any) -> Any:
    """Return the values of an event that this release knows: a newer one may send more."""
    return tuple(entry[:_VALUES]) if isinstance(entry, list | tuple) else entry


class RunEventsView(Internal):
    """The events of a run in a compact form, because every snapshot repeats all of them.

    Events are arrays without field names, and each shot's id appears once.
    """

    shots: Annotated[list[_Text], Field(max_length=MAX_SHOTS)]
    """Ids of shots; `events` refers to them by index."""
    since: _Moment
    """Start of the first event, in epoch milliseconds."""
    events: Annotated[list[Annotated[Entry, BeforeValidator(_known_part)]], Field(max_length=MAX_EVENTS)]
    omitted: Annotated[int, Field(ge=0)] = 0
    """Number of further events that are not listed."""

    @classmethod
    def of(cls, events: Sequence[RunEvent], omitted: int) -> Self | None:
        """Return `events` in the compact form; None if there are none."""
        if not events:
            return None
        shots = list(dict.fromkeys(event.shot_id for event in events if event.shot_id is not None))
        indices = {shot_id: index for index, shot_id in enumerate(shots)}
        since = min(event.at for event in events)
        entries: list[Entry] = [
            (
                str(event.kind),
                event.at - since,
                max(0, event.milliseconds),
                event.outcome[:MAX_OUTCOME],
                event.number,
                None if event.shot_id is None else indices[event.shot_id],
                1 if event.hedge else 0,
                event.cost_micro_usd,
            )
            for event in events
        ]
        return cls(shots=shots, since=since, events=entries, omitted=omitted)

    def to_events(self) -> tuple[RunEvent, ...]:
        """Return the events as domain objects. Raise InvalidInput for an index outside `shots`."""
        indices = [entry[5] for entry in self.events if entry[5] is not None]
        if any(index >= len(self.shots) for index in indices):
            error = FieldError("log.events", "must refer to shots by an index in log.shots")
            raise InvalidInput("an event refers to a shot that log.shots does not have", [error])
        return tuple(
            RunEvent(
                kind=word(EventKind, kind),
                at=self.since + after,
                milliseconds=milliseconds,
                outcome=outcome,
                number=number,
                shot_id=None if index is None else self.shots[index],
                hedge=bool(hedge),
                cost_micro_usd=cost,
            )
            for kind, after, milliseconds, outcome, number, index, hedge, cost in self.events
        )
