"""The commands of the bot, as a person types them."""

import re
from dataclasses import dataclass
from enum import StrEnum

_LONGEST_REASON = 200
_CODE = re.compile(r"([0-9]{3}) ?([0-9]{3})")
_COMMAND = re.compile(r"/([a-z]+)(?:@\w+)?(?: (.*))?", re.IGNORECASE)

HELP = (
    "/status: positions, orders, today's result and what is wrong\n"
    "/halt REASON: stop new entries; positions stay open\n"
    "/flatten: close all positions, then cancel all orders\n"
    "/cancel: forget the halt or flatten that waits for a code\n"
    "Halt and flatten happen once you send the 6-digit code of your authenticator app."
)


class CommandKind(StrEnum):
    """The kinds of commands."""

    START = "start"
    STATUS = "status"
    HALT = "halt"
    FLATTEN = "flatten"
    CANCEL = "cancel"
    CODE = "code"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and the rest of its line: a reason, a pairing code, or the digits of a code."""

    kind: CommandKind
    rest: str = ""


def parse_command(text: str) -> Command:
    """Return the command of a line; what is none asks for help."""
    if code := _CODE.fullmatch(text):
        return Command(CommandKind.CODE, f"{code[1]}{code[2]}")
    found = _COMMAND.fullmatch(text)
    name = "" if found is None else found[1].lower()
    if found is None or name not in set(CommandKind) - {CommandKind.CODE}:
        return Command(CommandKind.HELP)
    return Command(CommandKind(name), (found[2] or "").strip()[:_LONGEST_REASON])
