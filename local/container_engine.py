"""The container engine of this machine: which answers, the runtime's image, and the way back out of it.

As a program it says which engine answers; the exit code is 1 when none does.
"""

import ipaddress
import os
import shutil
import subprocess
import sys

from local import cloudformation, package

BUILD = package.ROOT / ".local" / "build"
ENGINES = ("docker", "finch")
"""What sam can use."""
PULL_S = 900
"""Seconds that the image of the runtime may take to come, the first time."""


class Missing(Exception):
    """Something this machine lacks; the message says what, and what to do."""


def find_engine() -> str:
    """The command of a container engine that answers; raises Missing."""
    installed = [name for name in ENGINES if shutil.which(name)]
    if not installed:
        raise Missing(f"no container engine is installed ({' or '.join(ENGINES)}): install one and start it")
    said = {name: _run([name, "ps", "-q"], seconds=20) for name in installed}
    for name, answer in said.items():
        if answer.returncode == 0:
            return name
    raise Missing("; ".join(f"{name} does not answer: {_last_line(said[name])}" for name in installed))


def image() -> str:
    """The image of the runtime in which sam starts the functions of the build."""
    template = cloudformation.load(BUILD / "template.yaml")
    runtime = template["Globals"]["Function"]["Runtime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{runtime}-{architecture()}"


def architecture() -> str:
    """Of this machine's processor, in Lambda's words."""
    return "x86_64" if os.uname().machine == "x86_64" else "arm64"


def address_for_containers(engine: str) -> str:
    """An IP address at which containers reach this machine: the engine knows; raises Missing."""
    if given := os.environ.get("SAM_LOCAL_HOST"):
        if not _is_address(given):
            raise Missing(f"SAM_LOCAL_HOST must be an IPv4 address other than loopback, not {given!r}")
        return given
    name = "host.docker.internal"
    say = f"import socket; print(socket.gethostbyname('{name}'))"
    return _in_container(engine, say, f"--add-host={name}:host-gateway")


def _is_address(text: str) -> bool:
    """A name would not do: S3 clients put the bucket before it."""
    try:
        return not ipaddress.IPv4Address(text).is_loopback
    except ValueError:
        return False


def check_reachable(engine: str, address: str, port: int) -> None:
    """Raise Missing unless a container reaches `port`."""
    say = f"import socket; socket.create_connection(('{address}', {port}), 5)"
    try:
        _in_container(engine, say)
    except Missing as missing:
        raise Missing(
            f"containers do not reach this machine at {address} (a firewall?);"
            " SAM_LOCAL_HOST=<address> names another one"
        ) from missing


def _in_container(engine: str, python: str, *options: str) -> str:
    """What `python` prints in the image of the runtime, which this pulls if need be."""
    command = [engine, "run", "--rm", *options, "--entrypoint", "python3", image(), "-c", python]
    answer = _run(command, seconds=PULL_S)
    if answer.returncode != 0:
        raise Missing(f"{engine} cannot run {image()}: {_last_line(answer)}")
    return answer.stdout.strip()


def _run(command: list[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"`{' '.join(command[:2])}` did not answer within {seconds:.0f} s") from error


def _last_line(answer: subprocess.CompletedProcess[str]) -> str:
    return (answer.stderr.strip().splitlines() or ["it says nothing"])[-1]


def main() -> int:
    """Return 0 when an engine answers."""
    try:
        print(f"{find_engine()} answers")
    except Missing as missing:
        print(missing)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
