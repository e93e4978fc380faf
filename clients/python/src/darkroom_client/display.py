"""Jobs, timelines and figures for a terminal. Whatever a server sends is only ever shown as text."""

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
_LONGEST_BAR = 64
_LONGEST_TIMELINE = 120


@dataclass(frozen=True)
class _Marks:
    """The signs of the views."""

    done: str
    failed: str
    open: str
    bar: str
    rest: str
    made: str
    lost: str
    given_up: str
    waited: str


_SIGNS = _Marks("●", "✗", "○", "━", "─", "█", "▓", "▒", "░")
_ASCII = _Marks("*", "x", "o", "#", "-", "#", "x", "~", ".")


def follow(console: Console, states: Iterable[Job]) -> Job:
    """Show each state as it comes, in place on a terminal, else a line each; the last one."""
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
    """Print one line, however long; a string is made plain."""
    text = Text(plain(text)) if isinstance(text, str) else text
    console.print(text, highlight=False, soft_wrap=True)


def headline(job: Job) -> Text:
    """One line."""
    job = plain_model(job)
    until = job.completed_at or job.created_at
    seconds = f"  {(until - job.created_at) / 1000:.1f} s" if job.completed_at else ""
    return Text.assemble(
        (f"{job.case_id} ", "bold"),
        (str(job.status), _COLOURS.get(job.status, "yellow")),
        f"  {job.completed_images} of {job.total_images}{seconds}  ${job.cost_usd:.2f}",
    )


def summary(console: Console, job: Job) -> None:
    """How a job ended, and why what is missing is missing."""
    line(console, headline(job))
    failures(console, job)


def failures(console: Console, job: Job) -> None:
    """Why what is missing is missing, a line each."""
    job = plain_model(job)
    for item in job.items:
        if failure := job.errors.get(item.id):
            line(console, Text(f"  {item.id} {item.name}: {failure.code}: {failure.message}", "red"))


def timeline(console: Console, told: Timeline) -> None:
    """A bar for each try of each item, and what happened to the job."""
    told = plain_model(told)
    for move in told.history:
        seconds = (move.at - told.created_at) / 1000
        line(console, f"{seconds:8.1f} s  {move.action} by {move.by} (run {move.run})")
    events = [event for run in told.runs for event in run.events]
    if not events:
        return
    marks = _marks(console.options)
    console.print(_Bars(events, min(told.created_at, *(event.at for event in events))))
    line(
        console,
        Text(
            f"{marks.made} made  {marks.lost} failed  {marks.given_up} given up  {marks.waited} waited", "dim"
        ),
    )


def callbacks(console: Console, found: Deliveries) -> None:
    """A line each."""
    for each in found.deliveries:
        said = each.last_status or each.last_error or "-"
        line(console, f"{each.version:5} {each.event:22} {each.state:10} {each.attempts:3} tries  {said}")


def metrics(console: Console, found: Metrics) -> None:
    """Name and value, a line each."""
    for name, value in found.model_dump().items():
        shown = "-" if value is None else f"{value:g}" if isinstance(value, float) else value
        line(console, f"{name.replace('_', ' '):24} {shown}")


def _marks(options: ConsoleOptions) -> _Marks:
    return _ASCII if options.ascii_only else _SIGNS


def _view(job: Job) -> RenderableType:
    """The view of a job that is followed, to be drawn again with each state."""
    return _View(plain_model(job))


@dataclass(frozen=True)
class _View:
    job: Job

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        job, marks = self.job, _marks(options)
        cells = [_cell(job, item, marks) for item in job.items]
        width = min(_LONGEST_BAR, options.max_width)
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
    """The tries of each item, from `start` on; tries that overlap have a row each."""

    events: Sequence[Event]
    start: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        items = list(dict.fromkeys(event.shot_id for event in self.events if event.shot_id))
        length = max(1, max(event.at + event.milliseconds for event in self.events) - self.start)
        title = f"0 to {length / 1000:.1f} s"
        names = min(max([4, *(Text(item).cell_len for item in items)]), options.max_width // 3)
        costs = [sum(event.cost_usd for event in self.events if event.shot_id == item) for item in items]
        cost_width = max(3, *(len(f"{cost:.3f}") for cost in costs)) if costs else 3
        bars = max(len(title), min(_LONGEST_TIMELINE, options.max_width - names - cost_width - 6))
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
        # The tries of a row follow one another. Where two share a cell, the one that made the picture wins.
        for event in sorted(events, key=lambda event: event.outcome == "made"):
            first = max(0, min(width - 1, (event.at - self.start) * width // length))
            last = (event.at + event.milliseconds - self.start) * width // length
            last = max(first + 1, min(width, last))
            cells[first:last] = _mark(event, marks) * (last - first)
        return Text("".join(cells))


def _rows(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events in as few rows as hold them without two at the same time."""
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
    return {"made": marks.made, "cancelled": marks.given_up}.get(event.outcome, marks.lost)
