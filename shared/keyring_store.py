"""Secrets in the system's keyring: macOS Keychain, or a Secret Service such as GNOME's or KDE's."""

from contextlib import suppress
from types import ModuleType

from shared.errors import SettingsError

_SERVICE = "tickwork"


def is_usable() -> bool:
    """Whether this system has a keyring that takes and gives back a secret, as a server without a desktop has not."""
    keyring = _import_keyring()
    if keyring is None:
        return False
    try:
        # Backends of priority below 1 keep nothing, or keep it as plain text in a file.
        return bool(keyring.get_keyring().priority >= 1)
    except Exception:  # noqa: BLE001  # backends raise errors of their own
        return False


def store_secret(name: str, secret: str) -> None:
    """Store a secret, and read it back; raise SettingsError if the keyring refuses."""
    keyring = _require_keyring(name)
    try:
        keyring.set_password(_SERVICE, name, secret)
        is_kept = keyring.get_password(_SERVICE, name) == secret
    except Exception as error:  # noqa: BLE001  # as above
        raise SettingsError(_describe(name, f"{type(error).__name__}: {error}")) from None
    if not is_kept:
        raise SettingsError(_describe(name, "it did not give back what was stored"))


def load_secret(name: str) -> str:
    """Return a secret; raise SettingsError if the keyring refuses, or does not have it."""
    keyring = _require_keyring(name)
    try:
        found: str | None = keyring.get_password(_SERVICE, name)
    except Exception as error:  # noqa: BLE001  # as above
        raise SettingsError(_describe(name, f"{type(error).__name__}: {error}")) from None
    if found is None:
        raise SettingsError(_describe(name, "it is not there"))
    return found


def delete_secret(name: str) -> None:
    """Delete a secret, if the keyring has it."""
    keyring = _import_keyring()
    if keyring is None:
        return
    with suppress(Exception):  # as above; what is not there need not be deleted
        keyring.delete_password(_SERVICE, name)


def _require_keyring(name: str) -> ModuleType:
    keyring = _import_keyring()
    if keyring is None:
        raise SettingsError(_describe(name, "the Python package keyring is not installed"))
    return keyring


def _import_keyring() -> ModuleType | None:
    try:
        import keyring  # noqa: PLC0415  # an extra, and slow to load: only who asks for a secret needs it
    except ImportError:
        return None
    return keyring


def _describe(name: str, reason: str) -> str:
    return (
        f"the system's keyring does not answer for {name.partition('@')[0]} ({reason}): unlock it, or set the secret "
        f"again with `tickwork config set {name.partition('@')[0]}`"
    )
