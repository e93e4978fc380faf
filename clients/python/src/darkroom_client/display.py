"""Show jobs, timelines and figures in a terminal. A server's text is always made plain first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from darkroom_client.models import Deliveries, Event, Job, Metrics, Named, Status, Timeline
from darkroom_client.text import plain, plain_model

_COLOURS: dict[str, str] = {Status.COMPLETED: "green", Status.FAILED: "red", Status.CANCELLED: "red"}
_MAX_BAR_WIDTH = 64
_MAX_TIMELINE_WIDTH = 120


@dataclass(frozen=True)
class _Marks:
    """The characters of the views."""

    done: str
    failed: str
    open: str
    bar: str
    rest: str
    made: str
    lost: str
    cancelled: str
    waited: str


_SIGNS = _Marks("●", "✗", "○", "━", "─", "█", "▓", "▒", "░")
_ASCII = _Marks("*", "x", "o", "#", "-", "#", "x", "~", ".")


def follow(console: Console, states: Iterable[Job]) -> Job:
    """Show each state as it arrives, in place on a terminal, else in a line each; return the last one."""
    job = None
    if console.is_interactive and console.file.isatty():
        with Live(console=console, refresh_per_second=8) as live:
            for job in states:
                live.update(_view(job))
    else:
        for job in states:
            line(console, headline(job))
    assert job is not None  # there is always a first state
    return job


def line(console: Console, text: Text | str) -> None:
    """Print one line without wrapping it; a string is made plain."""
    text = Text(plain(text)) if isinstance(text, str) else text
    console.print(text, highlight=False, soft_wrap=True)


def headline(job: Job) -> Text:
    """Return the state of a job in one line."""
    job = plain_model(job)
    until = job.completed_at or job.created_at
    seconds = f"  {(until - job.created_at) / 1000:.1f} s" if job.completed_at else ""
    return Text.assemble(
        (f"{job.case_id} ", "bold"),
        (str(job.status), _COLOURS.get(job.status, "yellow")),
        f"  {job.completed_images} of {job.total_images}{seconds}  ${job.cost_usd:.2f}",
    )


def summary(console: Console, job: Job) -> None:
    """Print the state of a job, and why pictures are missing."""
    line(console, headline(job))
    failures(console, job)


def failures(console: Console, job: Job) -> None:
    """Print why pictures are missing, in a line each."""
    job = plain_model(job)
    for item in job.items:
        if failure := job.errors.get(item.id):
            line(console, Text(f"  {item.id} {item.name}: {failure.code}: {failure.message}", "red"))


def timeline(console: Console, found: Timeline) -> None:
    """Print what happened to the job, and a bar for each attempt of each item."""
    found = plain_model(found)
    for entry in found.history:
        seconds = (entry.at - found.created_at) / 1000
        line(console, f"{seconds:8.1f} s  {entry.action} by {entry.by} (run {entry.run})")
    events = [event for run in found.runs for event in run.events]
    if not events:
        return
    marks = _marks(console.options)
    console.print(_Bars(events, min(found.created_at, *(event.at for event in events))))
    line(
        console,
        Text(
            f"{marks.made} made  {marks.lost} failed  {marks.cancelled} cancelled  {marks.waited} waited",
            "dim",
        ),
    )


def callbacks(console: Console, found: Deliveries) -> None:
    """Print the callbacks, in a line each."""
    for each in found.deliveries:
        result = each.last_status or each.last_error or "-"
        attempts = f"{each.attempts:3} attempt{'' if each.attempts == 1 else 's'}"
        line(console, f"{each.version:5} {each.event:22} {each.state:10} {attempts:12} {result}")


def metrics(console: Console, found: Metrics) -> None:
    """Print the figures, in a line each."""
    for name, value in found.model_dump().items():
        shown = "-" if value is None else f"{value:g}" if isinstance(value, float) else value
        line(console, f"{name.replace('_', ' '):24} {shown}")


def _marks(options: ConsoleOptions) -> _Marks:
    return _ASCII if options.ascii_only else _SIGNS


def _view(job: Job) -> RenderableType:
    """Return the view of a job, which is drawn again for each state."""
    return _View(plain_model(job))


@dataclass(frozen=True)
class _View:
    job: Job

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        job, marks = self.job, _marks(options)
        cells = [_cell(job, item, marks) for item in job.items]
        width = min(_MAX_BAR_WIDTH, options.max_width)
        done = width * max(0, min(job.completed_images, job.total_images)) // max(1, job.total_images)
        for row in (
            headline(job),
            Text.assemble((marks.bar * done, "green"), (marks.rest * (width - done), "dim")),
        ):
            row.truncate(options.max_width, overflow="ellipsis")
            yield row
        yield Columns(cells, padding=(0, 3), equal=True, column_first=True)


def _cell(job: Job, item: Named, marks: _Marks) -> Text:
    if item.id in job.images:
        cell = Text.assemble((f"{marks.done} ", "green"), item.name)
    elif failure := job.errors.get(item.id):
        cell = Text.assemble((f"{marks.failed} ", "red"), item.name, (f" {failure.code}", "red"))
    else:
        cell = Text(f"{marks.open} {item.name}", "dim")
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


@dataclass(frozen=True)
class _Bars:
    """The attempts of each item, on a time axis that begins at `start`. Attempts that overlap get rows."""

    events: Sequence[Event]
    start: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        items = list(dict.fromkeys(event.shot_id for event in self.events if event.shot_id))
        length = max(1, max(event.at + event.milliseconds for event in self.events) - self.start)
        title = f"0 to {length / 1000:.1f} s"
        names = min(max([4, *(Text(item).cell_len for item in items)]), options.max_width // 3)
        costs = [sum(event.cost_usd for event in self.events if event.shot_id == item) for item in items]
        cost_width = max(3, *(len(f"{cost:.3f}") for cost in costs)) if costs else 3
        bars = max(len(title), min(_MAX_TIMELINE_WIDTH, options.max_width - names - cost_width - 6))
        table = Table(box=None, padding=(0, 1))
        table.add_column("item", width=names, no_wrap=True, overflow="ellipsis")
        table.add_column(title, width=bars, no_wrap=True)
        table.add_column("USD", width=cost_width, no_wrap=True, justify="right")
        for item, cost in zip(items, costs, strict=True):
            own = [event for event in self.events if event.shot_id == item]
            first, *others = [self._row(row, length, bars, _marks(options)) for row in _rows(own)]
            table.add_row(Text(item), first, f"{cost:.3f}")
            for row in others:
                table.add_row("", row, "")
        yield table

    def _row(self, events: Sequence[Event], length: int, width: int, marks: _Marks) -> Text:
        cells = [" "] * width
        # The attempts of a row do not overlap. Of two that share a cell, the one that made the picture shows.
        for event in sorted(events, key=lambda event: event.outcome == "made"):
            first = max(0, min(width - 1, (event.at - self.start) * width // length))
            last = (event.at + event.milliseconds - self.start) * width // length
            last = max(first + 1, min(width, last))
            cells[first:last] = _mark(event, marks) * (last - first)
        return Text("".join(cells))


def _rows(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Yield the events in as few rows as possible, so that no two events of a row overlap."""
    rows: list[list[Event]] = []
    for event in sorted(events, key=lambda event: event.at):
        for row in rows:
            if row[-1].at + row[-1].milliseconds <= event.at:
                row.append(event)
                break
        else:
            rows.append([event])
    yield from rows


def _mark(event: Event, marks: _Marks) -> str:
    if event.kind == "wait":
        return marks.waited
    return {"made": marks.made, "cancelled": marks.cancelled}.get(event.outcome, marks.lost)
