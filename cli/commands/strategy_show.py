"""`tickwork strategies show`: what a strategy does, and its parameters with their defaults and limits."""

import inspect
from typing import Any

import click

from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.domain.strategies.parameters import list_parameters
from strategies.registry import STRATEGIES, TRADED, strategy_named

PARAMETERS = Table("Parameters", ("name", "default", "takes", "meaning"), spare=("meaning", "takes"))


class StrategyType(click.ParamType[str]):
    """The name of a strategy, whether accounts may trade it or not."""

    name = "strategy"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fail when there is none."""
        if value not in STRATEGIES:
            self.fail(f"unknown strategy {value!r}: expected one of {', '.join(STRATEGIES)}", param, ctx)
        return value


@click.command("show")
@click.argument("strategy", type=StrategyType())
@json_option
def show(strategy: str, *, as_json: bool) -> None:
    """Show what a strategy does, and its parameters."""
    cls = strategy_named(strategy)
    rows: list[dict[str, Any]] = [
        {"name": one.name, "default": one.default, "takes": one.takes, "meaning": one.description or None}
        for one in list_parameters(cls)
    ]
    about = inspect.cleandoc(cls.__doc__ or "")
    if as_json:
        print_json({"strategy": strategy, "about": about, "is_traded": strategy in TRADED, "parameters": rows})
        return
    click.echo(f"{strategy}: {about}\n")
    PARAMETERS.print([row | {"default": str(row["default"])} for row in rows], empty="No parameters.")
    if strategy not in TRADED:
        click.echo("It is not traded yet, only backtested.")
