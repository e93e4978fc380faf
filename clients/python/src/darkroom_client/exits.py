"""How the command ends: with a code that means one thing, and at most a few lines on stderr."""

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
    FAULT = 70
    INTERRUPTED = 130
    PIPE = 141


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "the job failed: no picture",
    Exit.USAGE: "an option, a file, an address, a token or a proxy cannot work",
    Exit.PARTIAL: "some pictures are missing",
    Exit.CANCELLED: "the job was cancelled",
    Exit.REFUSED: "the API refused and said why, or its answer makes no sense",
    Exit.UNREACHABLE: "no answer, or none in time",
    Exit.FAULT: "a fault of this command itself, please report it",
    Exit.INTERRUPTED: "interrupted (Ctrl-C); a job goes on",
    Exit.PIPE: "nobody reads the output any more",
}
"""What each code says, for --help and the README."""


def end(message: str, code: Exit) -> NoReturn:
    """End the command with `message` on stderr; nothing in it reaches the terminal raw."""
    say(message)
    raise typer.Exit(code)


def say(message: str) -> None:
    """Print `message` on stderr, if anything can be written there."""
    lines = "\n".join(plain(line) for line in message.splitlines())
    with suppress(OSError):
        Console(stderr=True).print(lines, style="red", highlight=False, markup=False, soft_wrap=True)


@contextmanager
def errors_end_the_command() -> Iterator[None]:
    """End the command with one line and a code for whatever goes wrong on purpose."""
    try:
        yield
    except BrokenPipeError:
        raise  # for `run`
    except UnicodeError as error:
        end(f"an argument is not UTF-8: {error}", Exit.USAGE)
    except (BadFile, OSError, WrongSetting) as error:
        end(str(error), Exit.USAGE)
    except (Unreachable, TimedOut) as error:
        end(str(error), Exit.UNREACHABLE)
    except DarkroomError as error:
        fields = "".join(f"\n  {wrong.field}: {wrong.message}" for wrong in error.fields)
        refused = f"{error.status} {error.code} {error}" if error.status else str(error)
        end(refused + fields, Exit.USAGE if _is_ours(error) else Exit.REFUSED)
    except KeyboardInterrupt:
        end("interrupted", Exit.INTERRUPTED)


def _is_ours(error: DarkroomError) -> bool:
    """Whether the client itself refused, before it asked."""
    return isinstance(error, InvalidRequest) and not error.status


def run(app: Callable[[], object]) -> NoReturn:
    """Run the command and leave with its code; a crash has one of its own: 1 says that a job failed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a code page has not every character
    try:
        app()
        code: object = Exit.OK
    except SystemExit as ending:
        # Typer and rich end with 1 when the output is a pipe that nobody reads.
        code = Exit.PIPE if isinstance(ending.__context__, BrokenPipeError) else ending.code
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except OSError as error:
        say(str(error))
        code = Exit.USAGE
    except Exception:  # noqa: BLE001 - the last one to see it
        say(traceback.format_exc())
        code = Exit.FAULT
    raise SystemExit(code)
