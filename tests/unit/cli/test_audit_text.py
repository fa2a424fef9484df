"""What the audit says that an act has changed."""

import click
from click.testing import CliRunner

from cli.client.audit_text import describe_change
from cli.client.change_check import current_actor


def test_a_changed_rule_is_shown_as_it_was_and_as_it_is() -> None:
    before = {"preset": None, "rule_changes": {"max_trades_per_day": "4", "max_quantity": "2"}}
    after = {"preset": None, "rule_changes": {"max_quantity": "2", "max_trades_per_day": "1", "daily_loss_limit": "9"}}

    assert "rules: max_trades_per_day 4 -> 1, daily_loss_limit none -> 9" == describe_change(before, after)
    assert "preset none -> own, rules: max_trades_per_day 4 -> none, max_quantity 2 -> none" == describe_change(
        before, {"preset": "own", "rule_changes": {}}
    )


def test_what_was_not_there_before_stands_alone_and_what_is_the_same_is_left_out() -> None:
    assert "name snapshot_accounts, is_enabled yes -> no" == describe_change(
        {"is_enabled": True, "every": "1m"}, {"name": "snapshot_accounts", "is_enabled": False, "every": "1m"}
    )


def test_the_origin_is_the_command_that_was_typed_also_of_one_that_it_runs() -> None:
    @click.group()
    def tickwork() -> None: ...

    @click.group()
    def accounts() -> None: ...

    @click.command("rules")
    def rules() -> None:
        click.echo(current_actor().origin)

    @click.command("setup")
    @click.pass_context
    def setup(ctx: click.Context) -> None:
        ctx.invoke(rules)

    accounts.add_command(rules)
    tickwork.add_command(accounts)
    tickwork.add_command(setup)

    assert CliRunner().invoke(tickwork, ["accounts", "rules"]).output.startswith("tickwork accounts rules on ")
    assert CliRunner().invoke(tickwork, ["setup"]).output.startswith("tickwork setup on ")
