"""The gauges of the accounts: money, headroom, halts, positions and what no stop covers."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from prometheus_client.core import GaugeMetricFamily, Metric

from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import RiskSnapshot
from shared.domain.risk.rule_usage import DOLLARS, list_usage


def build_accounts(accounts: Sequence[AccountRow], snapshots: Mapping[int, RiskSnapshot]) -> Iterator[Metric]:
    """Yield the metrics of the accounts; one of an unknown stage has its balance and its halts only.

    Without a fresh quote of what is held there is no equity and no headroom: no figure is a guess.
    """
    balance = _gauge("balance_dollars", "The balance, of closed trades after fees.")
    equity = _gauge("equity_dollars", "The balance and the open profit.")
    halted = _gauge("halted", "1: every entry is denied until a person resumes.")
    reduce_only = _gauge("reduce_only", "1: only entries that make a position smaller pass.")
    headroom = _gauge("rule_headroom_dollars", "What a rule leaves: of a loss limit until it is touched.", "rule")
    allowance = _gauge("rule_allowance_dollars", "What a rule allows in all.", "rule")
    positions = _gauge("open_positions", "Contracts of which something is held.")
    contracts = _gauge("open_contracts", "How much is held, long and short.")
    unguarded = _gauge("unguarded_contracts", "How much of what is held no working stop covers.")
    for name, row in _name_uniquely(accounts):
        _add(balance, [name], row.balance)
        _add(halted, [name], row.halt is not None)
        _add(reduce_only, [name], row.reduce_only is not None)
        snapshot = snapshots.get(row.id)
        if snapshot is None:
            continue
        _add(equity, [name], snapshot.risk.equity)
        for one in list_usage(snapshot.risk, snapshot.book):
            if one.unit == DOLLARS:
                _add(headroom, [name, one.rule], one.headroom)
                _add(allowance, [name, one.rule], one.allowance)
        held = [one for one in snapshot.risk.holdings if one.quantity]
        _add(positions, [name], len(held))
        _add(contracts, [name], sum(abs(one.quantity) for one in held))
        _add(unguarded, [name], sum(one.unprotected for one in held))
    yield from (balance, equity, halted, reduce_only, headroom, allowance, positions, contracts, unguarded)


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tickwork_account_{name}", about, labels=["account", *labels])


def _add(family: GaugeMetricFamily, labels: Sequence[str], value: Decimal | int | None) -> None:
    """Add a value unless it is unknown; Prometheus knows numbers as float64 only."""
    if value is not None:
        family.add_metric(labels, float(value))


def _name_uniquely(accounts: Sequence[AccountRow]) -> Iterator[tuple[str, AccountRow]]:
    """Yield each account with its name, and the id where several have that name."""
    counts = Counter(one.name for one in accounts)
    for one in accounts:
        yield one.name if counts[one.name] == 1 else f"{one.name} ({one.id})", one
