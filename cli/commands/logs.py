"""`tickwork logs`: the last lines of a program's log, and those that follow."""

import os
import time
from pathlib import Path
from typing import BinaryIO

import click

from cli.client.program_names import require_program
from cli.console.escape import escape_text
from cli.console.table import Table
from cli.local.home.folder import Home
from cli.local.home.state import read_state
from shared.config import environment, home_folder

LOGS = Table("Logs", ("program", "size_kb", "file"), spare=("size_kb",))
_POLL_S = 0.2


@click.command("logs")
@click.argument("program", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until Ctrl-C.")
@click.option(
    "-n", "--lines", "count", type=click.IntRange(min=0), default=50, show_default=True, help="How many to begin with."
)
def command(program: str | None, *, follow: bool, count: int) -> None:
    """Show the last lines of a program's log. It is kept when the stack ends. Without PROGRAM: list the logs."""
    home = Home(home_folder(environment()))
    files = {file.stem: file for file in sorted(home.logs.glob("*.log"))}
    programs = [one["name"] for one in (read_state(home) or {"programs": []})["programs"]]
    if program is None or not (files or programs):
        _list(files, home)
        return
    name = require_program(program, {*files, *programs})
    if name not in files:
        click.echo(f"{name} has written nothing yet.")
        return
    file = files[name]
    with file.open("rb") as stream:
        lines, rest = _read_last(file, stream.read(), count)
        for line in lines:
            click.echo(line)
        if follow:
            _follow(file, stream, rest)


def _list(files: dict[str, Path], home: Home) -> None:
    rows = [
        {"program": name, "size_kb": file.stat().st_size // 1000, "file": str(file)} for name, file in files.items()
    ]
    LOGS.print(rows, empty=f"No program has written a log in {home.logs} yet.")


def _read_last(file: Path, data: bytes, count: int) -> tuple[list[str], bytes]:
    """Return the last complete lines of a log with this content and of its older files, and what follows them."""
    complete, _, rest = data.rpartition(b"\n")
    lines = complete.splitlines()
    for number in (1, 2):
        older = file.with_name(f"{file.name}.{number}")
        if len(lines) >= count or not older.exists():
            break
        lines = older.read_bytes().splitlines() + lines
    return [_decode(line) for line in lines[max(len(lines) - count, 0) :]], rest


def _follow(file: Path, stream: BinaryIO, rest: bytes) -> None:
    """Print each line that is written from here on; go on with the new file when the log begins anew."""
    while True:
        is_old = _has_begun_anew(file, stream)  # asked before the last lines are read
        *lines, rest = (rest + stream.read()).split(b"\n")
        for line in lines:
            click.echo(_decode(line))
        if is_old:
            with file.open("rb") as newer:
                return _follow(file, newer, b"")
        time.sleep(_POLL_S)  # noqa: TID251  # a command waits here, not a worker


def _has_begun_anew(file: Path, stream: BinaryIO) -> bool:
    try:
        return file.stat().st_ino != os.fstat(stream.fileno()).st_ino
    except FileNotFoundError:  # at the moment between two files
        return False


def _decode(line: bytes) -> str:
    return escape_text(line.decode(errors="replace"))
