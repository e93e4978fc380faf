"""Sends a case to an API, shows its progress in the terminal, and writes its pictures to a folder."""

import json
import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from local.case_client import OPEN, CaseClient, Job, read_case
from local.contact_sheet import contact_sheet


def develop(api_url: str, token: str, case_file: Path, out: Path, console: Console) -> Job:
    """The job when it has ended; its pictures, `job.json` and `contact-sheet.png` are in `out/<caseId>/`."""
    started = time.monotonic()
    with CaseClient(api_url, token) as client:
        job = _follow(client, client.submit(read_case(case_file)), started, console)
        folder = _write(client, job, out)
    _summary(job, time.monotonic() - started, folder, console)
    return job


def _follow(client: CaseClient, job: Job, started: float, console: Console) -> Job:
    with Live(console=console, refresh_per_second=8) if console.is_terminal else nullcontext() as live:
        seen = 0
        for state in client.follow(job):
            seconds = time.monotonic() - started
            if live:
                live.update(_view(state, seconds))
            elif state["version"] > seen:  # a log gets a line for each change
                console.print(_headline(state, seconds))
            seen, job = state["version"], state
    return job


def _view(job: Job, seconds: float) -> Table:
    view = Table.grid()
    view.add_row(_headline(job, seconds))
    done, total = job["completedImages"], job["totalImages"]
    view.add_row(ProgressBar(total=total, completed=done, width=64))
    view.add_row(_shots(job))
    return view


def _headline(job: Job, seconds: float) -> Text:
    done, total = job["completedImages"], job["totalImages"]
    return Text.assemble(
        (f" {job['caseId']} ", "bold"),
        (job["status"], "green" if job["status"] == "completed" else "yellow"),
        f"  {done} of {total}  {seconds:4.1f} s  ${job['costUsd']:.2f}",
    )


def _shots(job: Job) -> Table:
    table = Table.grid(padding=(0, 3))
    columns = (
        [_shot(job, item, "evidenceImages") for item in job["evidence"]],
        [_shot(job, item, "locationImages") for item in job["locations"]],
    )
    for row in range(max(map(len, columns))):
        table.add_row(*(cells[row] if row < len(cells) else "" for cells in columns))
    return table


def _shot(job: Job, item: dict[str, str], images: str) -> str:
    name = escape(item["name"])
    if item["id"] in job[images]:
        return f"[green]●[/] {name}"
    if failure := job["errors"].get(item["id"]):
        return f"[red]✗[/] {name} [red]{escape(failure['code'])}[/]"
    return f"[dim]○ {name}[/]" if job["status"] in OPEN else f"[red]✗[/] {name}"


def _write(client: CaseClient, job: Job, out: Path) -> Path:
    folder: Path = out / job["caseId"]
    folder.mkdir(parents=True, exist_ok=True)
    links = job["evidenceImages"] | job["locationImages"]
    pictures = {shot_id: client.fetch(link) for shot_id, link in links.items()}
    for shot_id, jpeg in pictures.items():
        (folder / f"{shot_id}.jpg").write_bytes(jpeg)
    (folder / "job.json").write_text(json.dumps(job, indent=2) + "\n")
    items = [*job["evidence"], *job["locations"]]
    captions = {f"{item['id']}  {item['name']}": pictures.get(item["id"]) for item in items}
    contact_sheet(job["caseId"], captions).save(folder / "contact-sheet.png")
    return folder


def _summary(job: Job, seconds: float, folder: Path, console: Console) -> None:
    good = job["status"] == "completed"
    console.print(
        f"[bold {'green' if good else 'red'}]{job['status']}[/]: {job['completedImages']} of"
        f" {job['totalImages']} pictures in {seconds:.1f} s for ${job['costUsd']:.2f}"
        f" (${job['wastedUsd']:.2f} of it wasted)"
    )
    for shot_id, failure in job["errors"].items():
        console.print(f"  {shot_id}: {escape(failure['code'])}: {escape(failure['message'])}")
    console.print(f"Look at them: {folder / 'contact-sheet.png'}", highlight=False, soft_wrap=True)
