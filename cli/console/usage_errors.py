"""What a wrong command line is answered with: the value, what is expected, and an example."""

import re
from difflib import get_close_matches

import click

from shared.domain.market_data.symbol import parse_symbol

_INVALID = re.compile(
    r"'?(?P<value>.*?)'? (?:is not (?:a valid .*|in the range .*|one of .*)|does not match the formats? .*)", re.DOTALL
)
_EXTRA = re.compile(r"Got unexpected extra arguments? \((?P<values>.*)\)", re.DOTALL)
_NO_FILE = re.compile(
    r"(?:File|Path|Directory) '(?P<file>.*)' (?P<why>does not exist|is a directory|is not readable)\."
)
_MAY_BE_ACCOUNT = re.compile(r"[0-9]{4,}|.*-.*")
_EXAMPLE = re.compile(r"Example: `(.+?)`", re.DOTALL)
_EXPECTED = {
    "ACCOUNT": "an account, by id or name, such as 50KTC-6001",
    "SYMBOL": "a contract, such as MNQ, MNQ1! or MNQZ6",
    "ID": "an id, or its first or last characters, as the list shows it",
    "NAME": "a name",
    "REASON": "the reason, in quotes",
    "TEXT": "a text, in quotes",
    "FROM-UNTIL": "hours such as 22:00-07:00",
    "ZONE": "a zone such as Europe/Berlin",
    "ROOT": "a root, such as MNQ",
    "ROOTS": "roots with commas between them, such as MNQ,MES",
    "URL": "an address, such as https://alerts.example.com",
    "FILE": "the path of a file",
    "FILES": "the paths of one file or more",
    "TAGS": "tags with commas between them, such as news,late",
    "UNTIL": "a time, such as 17:00 or 2026-03-10T17:00",
    "JOB": "the name of a job, such as market_data.fetch_bars",
    "TICKS|none": "a whole number of ticks, or none",
    "A,B": "columns with commas between them, such as id,state",
    "ACCOUNT[:RATIO": "an account, or one with its ratio, such as 20002:0.5",
    "ADDRESS": "an address or a network, such as 203.0.113.7 or 203.0.113.0/24, tradingview or any",
    "ARGUMENTS": "arguments of psql, such as -c 'SELECT 1'",
    "SYMBOL|all": "a contract, such as MNQ or MNQZ6, or all",
    "DAY": "a day such as 2026-03-09",
    "DAYS": "a whole number of days, or never",
    "DIR": "the path of a folder",
    "FLEET=N,": "fleets with their slots, such as critical=4,bulk=2",
    "KINDS": "kinds of accounts with commas between them, such as 50KTC,EXPRESS",
    "MESSAGE": "an alert, in quotes",
    "NAME=VALUE": "a rule with its value, such as max_trades_per_day=4",
    "PROGRAM": "a program of `tickwork status`, such as relay",
    "ROOT[=ROOT": "a root, or one and what is traded for it, such as NQ=MNQ, or any",
    "SETTING": "a setting of `tickwork config list`, such as max_quantity",
    "SIZE": "sent, 2 (contracts), x0.5 (of the alert's) or $100 (of risk)",
    "STRATEGY": "a strategy of `tickwork strategies`, such as mean_reversion",
    "TAG": "a tag, such as news",
    "TIME": "a time, such as 2026-03-09T14:30",
    "TRADE": "the number of a trade, as `tickwork trades` lists it",
    "VALUE": "the value of the setting",
}  # of texts, by how the help writes them
_NEGATIVE = re.compile(r"-[0-9.]")
_NEAR = 0.7
_FEWER_DIGITS = 4  # of seconds; a number of more is an account


def describe_usage_error(error: click.ClickException) -> str:
    """Return the message of an error of click's own; one that a command raised is kept, with the command's example."""
    if not isinstance(error, click.UsageError):
        return error.format_message()
    extra = None if error.ctx is None else _EXTRA.match(error.message)
    if error.ctx is not None and extra is not None:
        return _describe_extra(extra["values"].split()[0], error.ctx)
    message = _describe(error)
    example = _find_example(error)
    return message if example is None or example in message else f"{message}; example: `{example}`"


def _describe(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption(ctx=click.Context() as context):
            return _describe_unknown_option(error.option_name, context)
        case click.BadOptionUsage(ctx=click.Context() as context):
            param = next((one for one in context.command.params if error.option_name in one.opts), None)
            if param is not None and "requires" in error.message:
                return f"no value for {error.option_name}: expected {_describe_expected(param)}"
        case click.MissingParameter(param=click.Parameter() as param, ctx=click.Context() as context):
            return f"missing {_name_of(param)}: expected {_describe_expected(param)}{_describe_usage(context)}"
        case click.BadParameter(param=click.Parameter() as param):
            return _describe_invalid(error, param)
    return error.format_message()


def _describe_invalid(error: click.UsageError, param: click.Parameter) -> str:
    invalid = _INVALID.fullmatch(error.message.rstrip("."))
    if invalid is not None:
        value = invalid["value"].removesuffix(".0")  # click says so of a typed 0
        return f"invalid {_name_of(param)} {value!r}: expected {_describe_expected(param)}"
    missing = _NO_FILE.fullmatch(error.message)
    if missing is not None:
        return f"invalid {_name_of(param)} {missing['file']!r}: it {missing['why']}"
    return f"{_name_of(param)}: {error.message}" if _is_option(param) else error.message


def _describe_unknown_option(name: str, context: click.Context) -> str:
    known = {option for param in context.command.params for option in param.opts if option.startswith("--")}
    if _NEGATIVE.match(name):
        return f"{context.command_path} takes no value below zero such as {name}"
    nearest = get_close_matches(name.lstrip("-"), [one.lstrip("-") for one in known], n=1, cutoff=_NEAR)
    if nearest:
        hint = f"did you mean --{nearest[0]}?"
    else:
        hint = f"`{context.command_path} --help` lists its options"
        subcommands = context.command.commands if isinstance(context.command, click.Group) else {}
        having = [one.name for one in subcommands.values() if any(name in param.opts for param in one.params)]
        if having:
            verb = "has" if len(having) == 1 else "have"
            hint += f"; {', '.join(f'`{context.command_path} {one}`' for one in having)} {verb} one"
    return f"{context.command_path} has no option {name}: {hint}"


def _describe_extra(value: str, context: click.Context) -> str:
    """Return what a command does not take, and the options that take such a value."""
    options = [_name_of(one) for one in context.command.params if _is_option(one) and _may_be(_metavar_of(one), value)]
    hint = f"{' or '.join(f'{one} {value}' for one in options)}?" if options else ""
    meant = f"did you mean {hint}" if hint else f"`{context.command_path} --help` shows what it takes"
    return f"{context.command_path} takes no argument {value!r} there: {meant}"


def _may_be(metavar: str, value: str) -> bool:
    """Whether a value looks like one of an option."""
    match metavar:
        case "ACCOUNT":
            return _MAY_BE_ACCOUNT.fullmatch(value) is not None
        case "SECONDS":
            return value.isdecimal() and len(value) < _FEWER_DIGITS
        case "SYMBOL" | "CONTRACT":
            try:
                parse_symbol(value)
            except ValueError:
                return False
            return True
    return False


def _name_of(param: click.Parameter) -> str:
    """Return an option's longest name, or an argument as the help writes it."""
    return max(param.opts, key=len) if _is_option(param) else _metavar_of(param)


def _is_option(param: click.Parameter) -> bool:
    return isinstance(param, click.Option)


def _metavar_of(param: click.Parameter) -> str:
    return (param.metavar or str(param.name).upper()).strip("[].")


def _describe_expected(param: click.Parameter) -> str:
    kind = param.type
    if isinstance(kind, click.Choice):
        *others, last = map(str, kind.choices)
        return f"{', '.join(others)} or {last}" if others else last
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        what = "a whole number" if isinstance(kind, click.types.IntParamType) else "a number"
        return f"{what}{_describe_range(kind)}{_describe_usual(param)}"
    metavar = _metavar_of(param)
    return getattr(kind, "expected", None) or _EXPECTED.get(metavar) or metavar


def _describe_range(kind: click.ParamType[object]) -> str:
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return ""
    if kind.max is None:
        return f", at least {kind.min:,}"
    return f" from {kind.min:,} to {kind.max:,}"


def _describe_usual(param: click.Parameter) -> str:
    """Return an example of a number: what the option means without a value, its default, or nothing."""
    values = (getattr(param, "flag_value", None), param.default)
    usual = next((one for one in values if isinstance(one, int | float) and not isinstance(one, bool)), None)
    return "" if usual is None else f", such as {_name_of(param)} {usual:g}"


def _describe_usage(context: click.Context) -> str:
    """Return how a command without an example is written: with all that it requires."""
    if _EXAMPLE.search(context.command.help or ""):
        return ""
    required = [one for one in context.command.params if one.required]
    parts = [f"{_name_of(one)} {_metavar_of(one)}" if _is_option(one) else _name_of(one) for one in required]
    return f"; usage: `{context.command_path} {' '.join(parts)}`"


def _find_example(error: click.UsageError) -> str | None:
    found = None if error.ctx is None else _EXAMPLE.search(error.ctx.command.help or "")
    return None if found is None else f"tickwork {' '.join(found[1].split())}"
