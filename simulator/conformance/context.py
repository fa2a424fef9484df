"""What every check is given: the connections, and the account, contract and time it asks about."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.clock import machine_now
from shared.domain.market_data.contract import ROOTS
from shared.errors import RefusedError, SettingsError
from simulator.conformance.budget import BARS
from simulator.conformance.hub_client import GatewayHub
from simulator.conformance.options import ConformanceOptions
from simulator.conformance.redaction import Redactor, SampleBook
from simulator.conformance.rest import GatewayReply, GatewayRest
from simulator.conformance.results import CannotAskError, CheckResult

MINUTE, HOUR, DAY = 2, 3, 4  # units of bars
_LONG_AGO, _FAR_AHEAD = datetime(2010, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


@dataclass
class CheckContext:
    """The gateway as a check sees it. A simulator's `market_now` is that of its market, not of this computer."""

    options: ConformanceOptions
    rest: GatewayRest
    samples: SampleBook
    redactor: Redactor
    login: GatewayReply
    login_at: datetime = field(default_factory=machine_now)
    accounts: list[Row] = field(default_factory=list)
    contracts: list[Row] = field(default_factory=list)
    newest_bar: Row | None = None
    market_now: datetime = field(default_factory=machine_now)
    ending: ExitStack = field(default_factory=ExitStack)  # what must happen at the end of the run, however it ends
    deferred: list[CheckResult] = field(
        default_factory=list
    )  # results that come later, and stay if the run is interrupted

    @property
    def account(self) -> Row:
        """The account to ask about; raise CannotAskError if the user has none."""
        wanted = self.options.account_id
        for row in self.accounts:
            if wanted in {None, row["id"]}:
                return row
        raise CannotAskError("the user has no account: run again with a user who has one")

    @property
    def account_id(self) -> int:
        """The id of the account to ask about."""
        found: int = self.account["id"]
        return found

    @property
    def contract(self) -> Row:
        """The active contract to ask about; raise RefusedError if the gateway lists none."""
        root = ROOTS.get(self.options.root)
        symbol = f"F.US.{root.product if root else self.options.root}"
        for row in self.contracts:
            if row.get("symbolId") == symbol:
                return row
        raise RefusedError(f"the gateway lists no active contract of {self.options.root!r}: give another --contract")

    @property
    def contract_id(self) -> str:
        """The id of the contract to ask about."""
        found: str = self.contract["id"]
        return found

    def is_in_contract(self, row: Row) -> bool:
        """Whether a row is one of the contract: its `contractId` may also have the form of a symbol (F.US.MNQ)."""
        return row["contractId"] in {self.contract_id, self.contract["symbolId"]}

    @property
    def tick_size(self) -> Decimal:
        """The tick size of the contract."""
        return Decimal(self.contract["tickSize"])

    def load(self) -> None:
        """Fetch accounts, contracts and the newest bar, which tells the time of the market.

        Raise SettingsError if the user has no account of the wanted id.
        """
        self.accounts = self.rest.rows("/api/Account/search", "accounts", onlyActiveAccounts=False)
        for row in self.accounts:
            self.redactor.hide(row["id"], "account")
            self.redactor.hide(row["name"], "account name")
        wanted = self.options.account_id
        if wanted is not None and wanted not in {row["id"] for row in self.accounts}:
            raise SettingsError(
                f"the user has no account {wanted}: see `tickwork accounts`, and give another --account"
            )
        self.contracts = self.rest.rows("/api/Contract/available", "contracts", live=False)
        self.load_newest_bar()

    def load_newest_bar(self) -> None:
        """Fetch the newest minute bar, also a forming one."""
        now = machine_now()
        start, end = (_LONG_AGO, _FAR_AHEAD) if self.options.is_loopback else (now - timedelta(days=7), now)
        bars = self.bars(start, end + timedelta(minutes=1), limit=2, includePartialBar=True)
        self.newest_bar = bars[0] if bars else None
        if bars and self.options.is_loopback:
            self.market_now = parse_instant(bars[0]["t"]) + timedelta(minutes=1)
        else:
            self.market_now = now

    def bars_body(self, start: datetime, end: datetime, **changes: object) -> Row:
        """Return the body of a request for minute bars of the contract, with `changes`."""
        return {
            "contractId": self.contract_id, "live": False, "startTime": format_instant(start),
            "endTime": format_instant(end), "unit": MINUTE, "unitNumber": 1, "limit": 20, "includePartialBar": False,
            **changes,
        }  # fmt: skip

    def bars(self, start: datetime, end: datetime, **changes: object) -> list[Row]:
        """Fetch bars; raise RefusedError for a refusal."""
        return self.rest.rows(BARS, "bars", **self.bars_body(start, end, **changes))

    def send_bars(self, **changes: object) -> GatewayReply:
        """Request the bars of the last seven days with `changes`, and return the answer as it is."""
        return self.rest.send(BARS, self.bars_body(self.market_now - timedelta(days=7), self.market_now, **changes))

    def open_hub(self, name: str) -> GatewayHub:
        """Connect to a hub: `user` or `market`; log in and try once more if the session of our token has ended."""
        try:
            return GatewayHub(self.options.hub_url, name, self.rest.token, self.samples)
        except RefusedError as error:
            if not str(error).startswith("401"):
                raise
        self.rest.renew_token()
        return GatewayHub(self.options.hub_url, name, self.rest.token, self.samples)


def format_instant(at: datetime) -> str:
    """Return an instant as the venue's documents send it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_instant(text: str) -> datetime:
    """Return an instant of an answer; one without an offset is UTC."""
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
