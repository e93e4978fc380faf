"""The processes in which the emulator runs the worker, found and killed (on Linux)."""

import os
import signal
from pathlib import Path

from local.stack import Stack
from testing.real_time import wait_for


def workers_of(running: Stack) -> list[int]:
    """Return the ids of the processes in which the emulator runs the worker."""
    emulator = running.pids["emulator"]
    children = [int(pid) for task in Path(f"/proc/{emulator}/task").iterdir() for pid in children_of(task)]
    mark = f"AWS_LAMBDA_FUNCTION_NAME={running.worker}".encode()
    return [pid for pid in children if mark in environment_of(pid)]


def children_of(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:  # the thread has just ended
        return []


def environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return []


def kill_workers(running: Stack) -> None:
    pids = workers_of(running)
    assert pids, "no worker is running"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: all(map(is_dead, pids)), bool, "the workers died")


def is_dead(pid: int) -> bool:
    """Return True if a process is gone or a zombie: the emulator reaps a worker when it next needs one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
