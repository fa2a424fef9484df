"""Builds no wheel but the editable one: another would put `shared`, `web` and `cli` into a user's site-packages."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableOnly(BuildHookInterface[Any]):
    """The hook of pyproject.toml's wheel target (docs/explanation/decisions/0013-an-application-not-a-package.md)."""

    def initialize(self, version: str, _build_data: dict[str, Any]) -> None:
        """Raise RuntimeError for a standard wheel."""
        if version != "editable":
            raise RuntimeError("Tickwork is an application run from its checkout, and builds no wheel: see README.md")
