"""The addresses of a stack, as `up` and `status` show them."""

from collections.abc import Mapping

from cli.console.table import Table
from shared.log import mask_secrets

ADDRESSES = Table("Addresses", ("name", "address"))


def list_addresses(urls: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of the table, without the passwords of the URLs."""
    return [{"name": name, "address": mask_secrets(url)} for name, url in urls.items()]
