"""What commands print about the health of the feed."""

from typing import Any

import click

from cli.console.table import Table
from shared.overview.feed_view import describe_feed

PRICES = Table("Age of the last price by contract", ("contract_id", "silent_s", "is_in_session"))


def print_feed(figures: dict[str, Any] | None) -> None:
    """Print one line about the feed, and a table of its contracts."""
    click.echo(describe_feed(figures))
    if figures is not None:
        PRICES.print(figures["contracts"], empty="No prices yet.")
