"""The file settings.toml of a home: its values, the lines they stand in, and errors that name them."""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import keyring_store
from shared.errors import SettingsError
from shared.setting_keys import BY_KEY, BY_VARIABLE, SettingKey

FILE_VARIABLE = "TICKWORK_SETTINGS_FILE"
IN_KEYRING = {"keyring": True}
_OTHERS_MAY_READ = stat.S_IRGRP | stat.S_IROTH
_PASSWORD = re.compile(r"://[^/]*:[^/]*@|[?&](?:ssl)?password=")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What the file says: values by variable, as the environment would have them, and the line of each."""

    file: Path
    values: Mapping[str, str]
    lines: Mapping[str, int]
    in_keyring: frozenset[str] = frozenset()  # the variables whose values the system's keyring has

    def complete(self, env: Mapping[str, str], *, with_secrets: bool = True) -> dict[str, str]:
        """Return the environment with what it lacks; raise SettingsError if the keyring does not answer.

        A variable that is set wins, also when it is empty.
        """
        secrets = {
            name: keyring_store.load_secret(secret_name(BY_VARIABLE[name], self.file))
            for name in self.in_keyring
            if name not in env and with_secrets
        }
        return {**self.values, **secrets, **env}

    def locate(self, error: SettingsError, env: Mapping[str, str]) -> SettingsError:
        """Return the error with the file, line and key in the place of a variable that came from the file."""
        message = str(error)
        for variable, line in self.lines.items():
            if variable not in env and re.search(rf"\b{variable}\b", message):
                return SettingsError(f"{self.file}, line {line}: {with_keys(message)}")
        return error


def settings_file(env: Mapping[str, str], home: Path) -> Path | None:
    """Return the path of the settings file; None if the environment says that there is none, as in a running stack."""
    named = env.get(FILE_VARIABLE)
    if named is None:
        return home / "settings.toml"
    return Path(named) if named else None


def read_settings_file(file: Path | None) -> SettingsFile:
    """Return what the file says, nothing if there is none; raise SettingsError for what it may not say."""
    try:
        text = "" if file is None else file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):  # what prepares the home says what is wrong with it
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None
    if file is None or not text:
        return SettingsFile(file or Path(), {}, {})
    found = parse_settings(file, text)
    _require_private(file, found.values)
    return found


def parse_settings(file: Path, text: str) -> SettingsFile:
    """Return what the text of a settings file says; raise SettingsError that names its line."""
    values, lines, in_keyring = {}, {}, set()
    for key, value in parse_toml(file, text).items():
        line = find_line(text, key)
        variable = find_key(key, f"{file}, line {line}").variable
        lines[variable] = line
        if value == IN_KEYRING:
            in_keyring.add(variable)
            continue
        found = _to_text(value)
        if found is None:
            raise SettingsError(
                f"{file}, line {line}: invalid {key} {value!r}: expected a text in quotes, a whole number, true or "
                "false, or a list of texts"
            )
        values[variable] = found
    return SettingsFile(file, values, lines, frozenset(in_keyring))


def parse_toml(file: Path, text: str) -> dict[str, object]:
    """Return the keys and values of the text; raise SettingsError with the line of what is no TOML."""
    import tomllib  # noqa: PLC0415  # most homes have no file, and each command begins here

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f'{file} is no valid TOML: {error}; expected lines such as max_quantity = 5 or log_level = "DEBUG"'
        ) from None


def find_key(name: str, where: str = "") -> SettingKey:
    """Return the setting of this key or variable; raise SettingsError with the nearest one."""
    found = BY_KEY.get(name) or BY_VARIABLE.get(name)
    if found is not None:
        return found
    from difflib import get_close_matches  # noqa: PLC0415  # as above

    near = get_close_matches(name.lower().removeprefix("tickwork_"), BY_KEY, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    begin = f"{where}: " if where else ""
    raise SettingsError(f"{begin}unknown setting {name!r}: {meant}`tickwork config list` shows every setting")


def find_line(text: str, key: str) -> int:
    """Return the line in which a key stands, from 1 on."""
    pattern = re.compile(rf"""\s*(?:\[\s*)?["']?{re.escape(key)}["']?\s*(?:[=.\]])""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def with_keys(message: str) -> str:
    """Return a message about variables with the keys of the file in their places."""
    return re.sub(r"\b[A-Z][A-Z_]+\b", lambda found: _key_of(found.group()), message)


def secret_name(setting: SettingKey, file: Path) -> str:
    """Return the name of a secret in the keyring; each settings file has its own."""
    return f"{setting.key}@{file.resolve()}"


def holds_secret(setting: SettingKey, value: str) -> bool:
    """Whether a value is a secret, or a URL with a password."""
    return setting.is_secret or _PASSWORD.search(value) is not None


def _key_of(variable: str) -> str:
    setting = BY_VARIABLE.get(variable)
    return variable if setting is None else setting.key


def _to_text(value: object) -> str | None:
    """Return a value of the file as the environment would have it, or None for one that no setting has."""
    match value:
        case bool():
            return "on" if value else "off"
        case str() | int():
            return str(value)
        case list() if all(isinstance(part, str) for part in value):
            return ",".join(value)
        case dict() if all(isinstance(part, int) for part in value.values()):
            return ",".join(f"{name}={part}" for name, part in value.items())
    return None


def _require_private(file: Path, values: Mapping[str, str]) -> None:
    secret = next((name for name, value in values.items() if holds_secret(BY_VARIABLE[name], value)), None)
    if secret is not None and file.stat().st_mode & _OTHERS_MAY_READ:
        raise SettingsError(
            f"{file} holds a secret ({BY_VARIABLE[secret].key}), and others can read it: run `chmod 600 {file}`"
        )
