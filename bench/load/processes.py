"""Find the processes in which the emulator runs functions, and their memory (on Linux)."""

from dataclasses import dataclass
from pathlib import Path

_NAME = b"AWS_LAMBDA_FUNCTION_NAME="
_PAGES_OF = "VmRSS:"


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of a function, with its present memory."""

    pid: int
    function: str
    rss_mb: float


def processes(group: int) -> list[Process]:
    """Return the processes of functions in the process group of the emulator."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (process := _process(folder, group)):
            found.append(process)
    return found


def _process(folder: Path, group: int) -> Process | None:
    try:
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        variables = (folder / "environ").read_bytes().split(b"\0")
        status = (folder / "status").read_text()
    except (OSError, ValueError):
        return None  # it has just ended
    names = [one.removeprefix(_NAME).decode() for one in variables if one.startswith(_NAME)]
    if int(stat[2]) != group or not names or _PAGES_OF not in status:
        return None
    rss_kb = int(status.partition(_PAGES_OF)[2].split()[0])
    return Process(pid=int(folder.name), function=names[0], rss_mb=rss_kb / 1024)
