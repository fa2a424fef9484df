"""Changes of settings.toml that keep its comments and order; a secret goes into the system's keyring if it can."""

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from cli.local.home.tracked_roots import require_known_roots
from shared import keyring_store
from shared.config import environment, home_folder, load_settings
from shared.errors import SettingsError
from shared.fleets import require_known_fleets
from shared.private_file import write_private
from shared.setting_keys import BY_KEY, SettingKey
from shared.setting_values import parse_list, parse_switch
from shared.settings_file import IN_KEYRING, parse_settings, parse_toml, secret_name, settings_file, with_keys


def find_settings_file() -> Path:
    """Return the settings file of this process's environment, which need not exist; raise SettingsError for none."""
    own = environment()
    file = settings_file(own, home_folder(own))
    if file is None:
        raise SettingsError("TICKWORK_SETTINGS_FILE is empty, so no settings file is used: unset it, or name a file")
    return file


def store_settings(file: Path, values: Mapping[SettingKey, str], *, may_use_keyring: bool = True) -> list[SettingKey]:
    """Store values all at once, and return which are in the keyring; raise SettingsError for an invalid one.

    Nothing else of the file is changed. A secret that the keyring refuses is in the file, which only its owner reads.
    """
    in_keyring: list[SettingKey] = []

    for setting, value in values.items():
        if setting.key == "contracts":
            require_known_roots(value)

    def change(document: TOMLDocument) -> None:
        others = _read_values(file, document, without=values)
        check_values(others | {setting.variable: value for setting, value in values.items()})
        for setting, value in values.items():
            is_kept = setting.is_secret and may_use_keyring and _is_kept_by_keyring(setting, file, value)
            document[setting.key] = _inline(IN_KEYRING) if is_kept else _to_toml(setting, value)
            in_keyring.extend([setting] if is_kept else [])

    _rewrite(file, change)
    for setting in values.keys() - in_keyring:
        _forget(setting, file)
    return in_keyring


def remove_settings(file: Path, keys: Collection[str]) -> list[str]:
    """Remove keys, also those that are no settings, and their secrets; return which of them the file had."""
    found: list[str] = []

    def change(document: TOMLDocument) -> None:
        found.extend(key for key in keys if key in document)
        for key in found:
            document.remove(key)

    _rewrite(file, change)
    for key in keys:
        if key in BY_KEY:
            _forget(BY_KEY[key], file)
    return found


def check_values(values: Mapping[str, str]) -> None:
    """Raise SettingsError, with the key in its words, if a program would refuse these values."""
    try:
        require_known_fleets(load_settings(values).slots)
    except SettingsError as error:
        raise SettingsError(with_keys(str(error))) from None


def _read_values(file: Path, document: TOMLDocument, *, without: Iterable[SettingKey]) -> dict[str, str]:
    """Return the other values of the file; those that are replaced may be invalid."""
    others = tomlkit.parse(tomlkit.dumps(document))
    for setting in without:
        others.pop(setting.key, None)
    return dict(parse_settings(file, tomlkit.dumps(others)).values)


def _rewrite(link: Path, change: Callable[[TOMLDocument], None]) -> None:
    file = link.resolve()  # a link to a file elsewhere stays one
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot create {file.parent} ({error.strerror}): set TICKWORK_HOME") from None
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


def _forget(setting: SettingKey, file: Path) -> None:
    if setting.is_secret:
        keyring_store.delete_secret(secret_name(setting, file))


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
