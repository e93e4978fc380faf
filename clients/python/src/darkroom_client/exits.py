"""End the command with an exit code that has one meaning, and an error message on stderr."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from io import TextIOWrapper
from typing import NoReturn

import typer
from rich.console import Console

from darkroom_client.errors import DarkroomError, InvalidRequest, TimedOut, Unreachable, WrongSetting
from darkroom_client.files import BadFile
from darkroom_client.text import plain


class Exit(IntEnum):
    """Exit codes of the command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    CANCELLED = 4
    REFUSED = 5
    UNREACHABLE = 6
    BUG = 70
    INTERRUPTED = 130
    PIPE = 141


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "the job failed: no picture",
    Exit.USAGE: "an option, file, address, token or proxy is wrong",
    Exit.PARTIAL: "some pictures are missing",
    Exit.CANCELLED: "the job was cancelled",
    Exit.REFUSED: "the API refused, or its response is unreadable",
    Exit.UNREACHABLE: "no response, or none in time",
    Exit.BUG: "a bug in this command, please report it",
    Exit.INTERRUPTED: "interrupted (Ctrl-C); the job continues",
    Exit.PIPE: "the output was closed (a broken pipe)",
}
"""Exit code → its meaning, for --help and the README."""


def end(message: str, code: Exit) -> NoReturn:
    """Print `message` on stderr and end the command with `code`."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    """Print `message` on stderr, as plain text, if stderr can be written."""
    lines = "\n".join(plain(line) for line in message.splitlines())
    with suppress(OSError):
        Console(stderr=True).print(lines, style="red", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def errors_end_the_command() -> Iterator[None]:
    """End the command with a message and an exit code when the block raises an expected error."""
    try:
        yield
    except BrokenPipeError:
        raise  # `run` handles it
    except UnicodeError as error:
        end(f"an argument is not UTF-8: {error}", Exit.USAGE)
    except (BadFile, OSError, WrongSetting) as error:
        end(str(error), Exit.USAGE)
    except (Unreachable, TimedOut) as error:
        end(str(error), Exit.UNREACHABLE)
    except DarkroomError as error:
        fields = "".join(f"\n  {wrong.field}: {wrong.message}" for wrong in error.fields)
        refused = f"{error.status} {error.code} {error}" if error.status else str(error)
        end(refused + fields, Exit.USAGE if _is_from_client(error) else Exit.REFUSED)
    except KeyboardInterrupt:
        end("interrupted", Exit.INTERRUPTED)


def _is_from_client(error: DarkroomError) -> bool:
    """Return True if the client itself refused, before it sent a request."""
    return isinstance(error, InvalidRequest) and not error.status


def run(app: Callable[[], object]) -> NoReturn:
    """Run the command and exit with its code. A crash has a code of its own, because 1 is a failed job."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a code page lacks many characters
    try:
        app()
        code: object = Exit.OK
    except SystemExit as ending:
        # Typer and rich exit with 1 when the output is a closed pipe.
        code = Exit.PIPE if isinstance(ending.__context__, BrokenPipeError) else ending.code
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except OSError as error:
        print_error(str(error))
        code = Exit.USAGE
    except Exception:  # noqa: BLE001 - nothing above handles it
        print_error(traceback.format_exc())
        code = Exit.BUG
    raise SystemExit(code)
