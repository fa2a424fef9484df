"""Changes of settings.toml that keep its comments and order; a secret goes into the system's keyring if it can."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from shared import keyring_store
from shared.config import load_settings
from shared.errors import SettingsError
from shared.fleets import require_known_fleets
from shared.private_file import write_private
from shared.setting_keys import SettingKey
from shared.setting_values import parse_list, parse_switch
from shared.settings_file import IN_KEYRING, parse_settings, parse_toml, secret_name, with_keys


def store_setting(file: Path, setting: SettingKey, value: str, *, may_use_keyring: bool) -> bool:
    """Store a value, and return whether it is in the keyring; raise SettingsError for an invalid one.

    Nothing else of the file is changed. A secret that the keyring refuses is in the file, which only its owner reads.
    """
    is_in_keyring = False

    def change(document: TOMLDocument) -> None:
        nonlocal is_in_keyring
        check_values(_read_values(file, document, without=setting) | {setting.variable: value})
        is_in_keyring = setting.is_secret and may_use_keyring and _is_kept_by_keyring(setting, file, value)
        document[setting.key] = _inline(IN_KEYRING) if is_in_keyring else _to_toml(setting, value)

    _rewrite(file, change)
    if setting.is_secret and not is_in_keyring:
        keyring_store.delete_secret(secret_name(setting, file))
    return is_in_keyring


def remove_setting(file: Path, key: str, setting: SettingKey | None) -> bool:
    """Remove a key, also one that is no setting, and its secret from the keyring; return whether the file had it."""
    was_there = False

    def change(document: TOMLDocument) -> None:
        nonlocal was_there
        was_there = key in document
        if was_there:
            document.remove(key)

    _rewrite(file, change)
    if setting is not None and setting.is_secret:
        keyring_store.delete_secret(secret_name(setting, file))
    return was_there


def check_values(values: Mapping[str, str]) -> None:
    """Raise SettingsError, with the key in its words, if a program would refuse these values."""
    try:
        require_known_fleets(load_settings(values).slots)
    except SettingsError as error:
        raise SettingsError(with_keys(str(error))) from None


def _read_values(file: Path, document: TOMLDocument, *, without: SettingKey) -> dict[str, str]:
    """Return the other values of the file; the one that is replaced may be invalid."""
    others = tomlkit.parse(tomlkit.dumps(document))
    others.pop(without.key, None)
    return dict(parse_settings(file, tomlkit.dumps(others)).values)


def _rewrite(file: Path, change: Callable[[TOMLDocument], None]) -> None:
    with _alone_in(file.parent):
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        parse_toml(file, text)
        document = tomlkit.parse(text)
        change(document)
        changed = tomlkit.dumps(document)
        if changed != text:
            write_private(file, changed)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the file, so that no change is lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_kept_by_keyring(setting: SettingKey, file: Path, value: str) -> bool:
    if not keyring_store.is_usable():
        return False
    try:
        keyring_store.store_secret(secret_name(setting, file), value)
    except SettingsError:
        return False
    return True


def _inline(values: Mapping[str, object]) -> tomlkit.items.InlineTable:
    table = tomlkit.inline_table()
    table.update(values)
    return table


def _to_toml(setting: SettingKey, value: str) -> object:
    """Return the value in the type that a person would write."""
    values = {setting.variable: value}
    if setting.default in {"on", "off"} and value.strip():
        return parse_switch(values, setting.variable, default=False)
    if setting.default.isdigit() and value.strip().isdigit():
        return int(value)
    if setting.key in {"contracts", "flower_hosts"}:
        return parse_list(values, setting.variable)
    return value.strip()
