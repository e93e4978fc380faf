"""Jobs, timelines and figures for a terminal. Whatever a server sends is only ever shown as text."""

import unicodedata
from collections.abc import Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from darkroom_client.models import Deliveries, Event, Job, Metrics, Named, Status, Timeline

_BARS = 60
_COLOURS = {Status.COMPLETED: "green", Status.FAILED: "red", Status.CANCELLED: "red"}


def plain(text: str) -> str:
    """`text` without what would steer a terminal or turn the direction of writing."""
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") else "�" for c in text)


def follow(console: Console, states: Iterable[Job]) -> Job:
    """Show each state as it comes, in place on a terminal, else a line each; the last one."""
    job = None
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8) as live:
            for job in states:
                live.update(_view(job))
    else:
        for job in states:
            console.print(headline(job))
    assert job is not None  # there is always a first state
    return job


def headline(job: Job) -> Text:
    """One line."""
    until = job.completed_at or job.created_at
    seconds = f"  {(until - job.created_at) / 1000:.1f} s" if job.completed_at else ""
    return Text.assemble(
        (f"{plain(job.case_id)} ", "bold"),
        (job.status, _COLOURS.get(job.status, "yellow")),
        f"  {job.completed_images} of {job.total_images}{seconds}  ${job.cost_usd:.2f}",
    )


def summary(console: Console, job: Job) -> None:
    """How a job ended, and why what is missing is missing."""
    console.print(headline(job))
    for item in job.items:
        if failure := job.errors.get(item.id):
            why = f"  {plain(item.id)} {plain(item.name)}: {failure.code}: {plain(failure.message)}"
            console.print(Text(why, "red"))


def timeline(console: Console, told: Timeline) -> None:
    """A bar for each try of each item, and what happened to the job."""
    for move in told.moves:
        seconds = (move.at - told.created_at) / 1000
        by = plain(move.by)
        console.print(Text(f"{seconds:8.1f} s  {move.what} by {by} (run {move.run})"), highlight=False)
    events = [event for run in told.runs for event in run.events]
    if not events:
        return
    start = min(told.created_at, *(event.at for event in events))
    length = max(1, max(event.at + event.milliseconds for event in events) - start)
    table = Table(box=None, padding=(0, 1))
    for title in ("item", "tries", "USD"):
        table.add_column(title)
    table.columns[1].header = f"0 – {length / 1000:.1f} s"
    for shot in dict.fromkeys(event.shot_id for event in events if event.shot_id):
        own = [event for event in events if event.shot_id == shot]
        cost = sum(event.cost_usd for event in own)
        table.add_row(Text(plain(shot)), _bars(own, start, length), f"{cost:.3f}")
    console.print(table)
    console.print("█ made  ▓ failed  ▒ given up  ░ waited", style="dim")


def callbacks(console: Console, found: Deliveries) -> None:
    """A line each."""
    for each in found.deliveries:
        said = each.last_status or each.last_error or "–"
        text = f"{each.version:5} {each.event:22} {each.state:10} {each.attempts:3} tries  {said}"
        console.print(Text(plain(text)), highlight=False)


def metrics(console: Console, found: Metrics) -> None:
    """Name and value, a line each."""
    for name, value in found.model_dump().items():
        shown = "–" if value is None else f"{value:g}" if isinstance(value, float) else value
        console.print(Text(f"{name.replace('_', ' '):24} {shown}"), highlight=False)


def _view(job: Job) -> Group:
    bar = ProgressBar(total=job.total_images, completed=job.completed_images, width=64)
    table = Table.grid(padding=(0, 3))
    longest = max(len(job.evidence), len(job.locations))
    for row in range(longest):
        table.add_row(*(_cell(job, group, row) for group in (job.evidence, job.locations)))
    return Group(headline(job), bar, table)


def _cell(job: Job, group: list[Named], row: int) -> Text:
    if row >= len(group):
        return Text()
    item, name = group[row], plain(group[row].name)
    if item.id in job.images:
        return Text.assemble(("● ", "green"), name)
    if failure := job.errors.get(item.id):
        return Text.assemble(("✗ ", "red"), name, (f" {failure.code}", "red"))
    return Text(f"○ {name}", "dim")


def _bars(events: list[Event], start: int, length: int) -> Text:
    cells = [" "] * _BARS
    for event in events:
        first = min(_BARS - 1, (event.at - start) * _BARS // length)
        last = min(_BARS, max(first + 1, (event.at + event.milliseconds - start) * _BARS // length))
        cells[first:last] = _mark(event) * (last - first)
    return Text("".join(cells))


def _mark(event: Event) -> str:
    if event.kind == "wait":
        return "░"
    return {"made": "█", "cancelled": "▒"}.get(event.outcome, "▓")
