"""Groups of commands: what people type for a list is taken, and a wrong name gets the nearest one."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

_LIST_WORDS = ("list", "ls")
_RESOLVED = "tickwork.resolved"
_NEAR = 0.7  # below it a suggestion is a guess: `close` is not `logs`
_WHOLE = 10_000  # characters of a help text: none is longer
_ENTER = "orders market MNQ buy 1 --stop 40"
_MEANT = {
    **dict.fromkeys(("buy", "sell", "long", "short", "enter", "submit"), _ENTER),
    **dict.fromkeys(("close", "exit"), "positions close MNQ"),
    "cancel": "orders cancel ID",
    "modify": "orders modify ID",
    **dict.fromkeys(("pnl", "profit"), "top --once"),
    "balance": "accounts",
    "version": "--version",
    "help": "--help",
}  # what people type, and the command that does it


class CommandGroup(click.Group):
    """A group whose list is printed by its own name and by `list` or `ls` after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `orders ls` for `orders`, and `hooks` for `hooks list`."""
        lists_itself = self.invoke_without_command and "list" not in self.commands
        if args and args[0] in _LIST_WORDS:
            args = args[1:] if lists_itself else ["list", *args[1:]] if "list" in self.commands else args
        elif self._has_default_list() and _names_no_command(args) and not _may_name_one_yet(ctx, args):
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the subcommands, and the options of the list that the group's own name prints."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-") and self._has_default_list():
            known = {one.value for one in found}
            listing = self.commands["list"]
            options = listing.shell_complete(click.Context(listing, parent=ctx), incomplete)
            found += [one for one in options if one.value not in known]
        return found

    def _has_default_list(self) -> bool:
        return not self.invoke_without_command and "list" in self.commands

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raise UsageError with the nearest name if there is none, but not while completing."""
        if (
            not ctx.resilient_parsing
            and args
            and not args[0].startswith("-")
            and self.get_command(ctx, args[0]) is None
        ):
            fail_unknown(args[0], self.list_commands(ctx), ctx)
        name, found, rest = super().resolve_command(ctx, args)
        if found is not None:
            ctx.meta[_RESOLVED] = click.Context(found, parent=ctx, info_name=name, **found.context_settings)
        return name, found, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command with the whole of its first sentence: click would cut it."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in found if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click's parser does not say of which command an option lacks its value."""
        try:
            return super().invoke(ctx)
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or ctx.meta.get(_RESOLVED)
            raise


def fail_unknown(name: str, known: Iterable[str], ctx: click.Context) -> NoReturn:
    """Raise UsageError for an unknown command, with the nearest known name, or the command that is meant elsewhere."""
    nearest = get_close_matches(name, list(known), n=1, cutoff=_NEAR)
    if nearest:
        hint = f"did you mean {nearest[0]}?"
    elif name.lower() in _MEANT:
        hint = f"did you mean `tickwork {_MEANT[name.lower()]}`?"
    else:
        hint = f"`{ctx.command_path} --help` lists the commands"
    raise click.UsageError(f"no command is named {name!r}: {hint}", ctx)


def _names_no_command(args: list[str]) -> bool:
    return not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"})


def _may_name_one_yet(ctx: click.Context, args: list[str]) -> bool:
    """Whether the word that a shell completes may be the name of a command."""
    return ctx.resilient_parsing and not args
