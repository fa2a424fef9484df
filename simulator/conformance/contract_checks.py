"""Checks of accounts and contracts (venue.md sections 5.1 to 5.4, 8)."""

import re
from collections.abc import Iterator

from shared.domain.market_data.contract import ROOTS
from simulator.conformance.context import CheckContext, Row
from simulator.conformance.results import CheckResult, Question, asks
from simulator.conformance.schema_check import assess_rows, describe_differences, find_answer_differences

_ACCOUNTS, _AVAILABLE = "/api/Account/search", "/api/Contract/available"
_SEARCH, _BY_ID = "/api/Contract/search", "/api/Contract/searchById"
_MOST = 20
_FAMILY = re.compile(r"[A-Za-z0-9]*(?:-[A-Za-z]+[0-9]?)*")
_FOLLOWED = ("MNQ", "MES", "MCLE", "MGC")
_NO_CONTRACT = "no contract is listed: run again when some are"
_PRODUCTS = {f"F.US.{root.product}": root for root in ROOTS.values()}

ACCOUNT_FIELDS = Question("s5.account_fields", "Have account rows the documented fields? (5.1)", "as documented")
FAMILIES = Question("s5.account_families", "How do the account names begin? (5.1, 7.6)", "PRAC-, 50KTC-, EXPRESS-, ...")
CONTRACT_FIELDS = Question("s5.contract_fields", "Have contract rows the documented fields? (5.2)", "as documented")
PRODUCTS = Question("s8.products", "Which products are listed, with which ticks? (8.2)", "as in section 8.2")
LIVE = Question("s5.contracts_live", "What does Contract/available with live true get? (5.4)", "200 success, 0 rows")
FUZZY = Question("s5.search_fuzzy", "Does a search for ES find other products, at most 20? (5.2)", "yes, at most 20")
NO_TEXT = Question("s5.search_without_text", "What does a search without a text get? (5.2)", "200 success, 20 rows")
BY_ID = Question("s5.contract_by_id", "Is the contract of searchById the one of available? (5.3)", "the same row")
UNKNOWN = Question("s5.contract_unknown", "What does an unknown contract id get? (5.3)", "200 code 1")
EXPIRED = Question("s5.contract_expired", "Does searchById know last year's contract? (5.3)", "yes, not active")
SWITCH = Question("q10.active_switch", "On which day does the active contract change? (13.10)", "-")


@asks(ACCOUNT_FIELDS, FAMILIES)
def ask_accounts(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the accounts."""
    document = context.rest.post(_ACCOUNTS, onlyActiveAccounts=False)
    differences = find_answer_differences(_ACCOUNTS, document)
    count = len(document.get("accounts") or [])
    reason = "the user has no account: run again with a user who has one"
    yield assess_rows(ACCOUNT_FIELDS, differences, count, "rows", if_none=reason)
    names = [str(row["name"]) for row in context.accounts]
    families = sorted({match[0] for name in names if (match := _FAMILY.match(name))})
    yield FAMILIES.answer(", ".join(re.sub(r"\d{5,}", "...", family) for family in families) or "no account")


@asks(CONTRACT_FIELDS, PRODUCTS, LIVE)
def ask_available(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the active contracts."""
    document = context.rest.post(_AVAILABLE, live=False)
    rows = document.get("contracts") or []
    differences = find_answer_differences(_AVAILABLE, document)
    yield assess_rows(CONTRACT_FIELDS, differences, len(rows), "rows", if_none=_NO_CONTRACT)
    yield _assess_products(rows)
    live = context.rest.send(_AVAILABLE, {"live": True})
    yield LIVE.compare(_describe_rows(live.describe(), live.document))


@asks(FUZZY, NO_TEXT)
def ask_search(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how contracts are searched."""
    rows = context.rest.rows(_SEARCH, "contracts", searchText="ES", live=False)
    products = {row["symbolId"] for row in rows}
    is_same = len(products) > 1 and len(rows) <= _MOST
    yield FUZZY.assess(f"{len(rows)} rows of {len(products)} products", is_same=is_same)
    reply = context.rest.send(_SEARCH, {"live": False})
    count = min(_MOST, len(context.contracts))
    observed = _describe_rows(reply.describe(), reply.document)
    yield NO_TEXT.assess(observed, is_same=observed == f"200 success, {count} rows")


@asks(BY_ID, UNKNOWN, EXPIRED)
def ask_by_id(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for contracts by their ids."""
    found = context.rest.post(_BY_ID, contractId=context.contract_id).get("contract")
    yield BY_ID.assess(
        "the same row" if found == context.contract else "another row", is_same=found == context.contract
    )
    yield UNKNOWN.ask(lambda: context.rest.send(_BY_ID, {"contractId": "CON.F.US.NONE.Z20"}).describe())
    id_ = context.contract_id
    reply = context.rest.send(_BY_ID, {"contractId": f"{id_[:-2]}{int(id_[-2:]) - 1:02d}"})
    row = reply.document.get("contract") if reply.is_success else None
    observed = reply.describe() if row is None else f"yes, {'active' if row.get('activeContract') else 'not active'}"
    yield EXPIRED.compare(observed)


@asks(SWITCH)
def ask_switch(context: CheckContext) -> Iterator[CheckResult]:
    """Note the active contracts; their change needs days."""
    active = [row["id"] for row in context.contracts if row["symbolId"].rpartition(".")[2] in _FOLLOWED]
    yield SWITCH.skip(
        f"it needs days: run this once a day around an expiry and compare. Active now: {', '.join(active) or 'none'}"
    )


def _assess_products(rows: list[Row]) -> CheckResult:
    if not rows:
        return PRODUCTS.skip(_NO_CONTRACT)
    differences = [problem for row in rows if (problem := _find_tick_problem(row))]
    missing = sorted(root.name for symbol, root in _PRODUCTS.items() if symbol not in {row["symbolId"] for row in rows})
    observed = describe_differences(differences, len(rows), "products")
    # A product that is not listed is no difference: the simulator's market may be a recording of one contract.
    return PRODUCTS.assess(f"{observed}; not listed: {', '.join(missing) or 'none'}", is_same=not differences)


def _find_tick_problem(row: Row) -> str | None:
    root = _PRODUCTS.get(row["symbolId"])
    if root is None:
        return f"lists {row['symbolId']}, tick {row['tickSize']} worth {row['tickValue']}"
    if row["tickSize"] != root.tick_size or row["tickValue"] != root.tick_value:
        return f"{root.name} has a tick of {row['tickSize']} worth {row['tickValue']}"
    return None


def _describe_rows(text: str, document: object) -> str:
    rows = document.get("contracts") if isinstance(document, dict) else None
    return f"{text}, {len(rows)} rows" if isinstance(rows, list) else text


CHECKS = (ask_accounts, ask_available, ask_search, ask_by_id, ask_switch)
