"""The options of a conformance run, checked before the first request."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from shared.clock import machine_now
from shared.errors import SettingsError

KEY_VARIABLE = "TICKWORK_VENUE_KEY"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_LISTEN_S, _CLEAN_UP_S = 20, 90


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformanceOptions:
    """What to ask whom. `account_id` None means the first account; `listen_seconds` is the time at each hub."""

    url: str
    hub_url: str
    user: str
    key: str = field(repr=False)
    account_id: int | None
    root: str
    listen_seconds: int
    has_orders: bool
    clean_up_seconds: int
    is_confirmed: bool
    has_rate_limits: bool
    has_logout: bool
    report: Path
    is_json: bool

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway runs on this computer, as only a simulator does."""
        return urlsplit(self.url).hostname in _LOOPBACK


def parse_options(arguments: Sequence[str] | None, env: Mapping[str, str]) -> ConformanceOptions:
    """Return the options of a command line; raise SettingsError naming the invalid one."""
    given = _make_parser().parse_args(arguments)
    url = _check_url("--url", given.url or env.get("TICKWORK_VENUE_URL", ""))
    known_hubs = given.hub_url or ("" if given.url else env.get("TICKWORK_VENUE_HUBS_URL", ""))
    user = given.user or env.get("TICKWORK_VENUE_USER", "")
    if not user:
        raise SettingsError("the user name is not set: give --user, or set TICKWORK_VENUE_USER")
    key = env.get(KEY_VARIABLE, "")
    if not key:
        raise SettingsError(f"{KEY_VARIABLE} is not set: set it to the API key; it is never an argument")
    if given.orders and given.account is None:
        raise SettingsError("--orders needs --account ID: name the practice account that may trade")
    return ConformanceOptions(
        url=url,
        hub_url=_check_url("--hub-url", known_hubs or _guess_hub_url(url)),
        user=user,
        key=key,
        account_id=given.account,
        root=given.contract.upper(),
        listen_seconds=given.seconds,
        has_orders=given.orders,
        clean_up_seconds=given.clean_up_seconds,
        is_confirmed=given.yes,
        has_rate_limits=given.rate_limits,
        has_logout=given.log_out,
        report=given.report or Path(f"gateway-report-{machine_now():%Y-%m-%d}.md"),
        is_json=given.json,
    )


def _check_url(name: str, value: str) -> str:
    """Return a URL without its trailing slash; raise SettingsError if it is none, or plain http elsewhere."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.username or parts.query:
        raise SettingsError(f"invalid {name} {value!r}: expected a URL such as https://api.topstepx.com")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise SettingsError(f"invalid {name} {value!r}: expected https, as only a simulator on this computer uses http")
    return value.rstrip("/").removesuffix("/hubs")


def _guess_hub_url(url: str) -> str:
    """Return the hubs' address that venue.md section 1 gives for a REST address."""
    parts = urlsplit(url)
    if parts.hostname in _LOOPBACK:
        return url
    if parts.netloc.startswith("api."):
        return f"{parts.scheme}://rtc.{parts.netloc.removeprefix('api.')}"
    raise SettingsError(f"the hubs of {url} are not known: give --hub-url, such as https://rtc.topstepx.com")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tickwork conformance", description="Compare a gateway with the simulator.")
    parser.add_argument("--url", help="REST address; default: TICKWORK_VENUE_URL")
    parser.add_argument("--hub-url", help="address of both hubs; default: follows from --url")
    parser.add_argument("--user", help="platform login name; default: TICKWORK_VENUE_USER")
    parser.add_argument("--account", type=int, help="account id; default: the first account")
    parser.add_argument("--contract", default="MNQ", help="root of a micro contract; default: MNQ")
    parser.add_argument("--seconds", type=_parse_seconds, default=_LISTEN_S, help="time to listen at the hubs")
    parser.add_argument("--orders", action="store_true", help="ask the order questions too, with real orders")
    parser.add_argument(
        "--clean-up-seconds", type=_parse_seconds, default=_CLEAN_UP_S, help="time to try to clean up after --orders"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for a confirmation of --orders")
    parser.add_argument("--rate-limits", action="store_true", help="exceed the limit of bars, to see the 429")
    parser.add_argument("--log-out", action="store_true", help="end one of two sessions, to see what logout ends")
    parser.add_argument("--report", type=Path, help="the report; default: gateway-report-<date>.md here")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    return parser


def _parse_seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 600:  # noqa: PLR2004 - ten minutes are long enough
        raise argparse.ArgumentTypeError(f"invalid seconds {text!r}: expected a whole number from 1 to 600")
    return int(text)
