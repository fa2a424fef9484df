"""The facts about accounts that their risk follows from: one statement, and its rows by kind."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text

from shared.db.accounts import reductions
from shared.domain.orders.order import Side
from shared.domain.orders.protection import ExternalOrder, mark_protection

FACTS = text(
    f"""
    SELECT 'held' AS kind, account_id, contract_id, CASE direction WHEN 'LONG' THEN quantity ELSE -quantity END AS n,
           average_price AS price,
           (SELECT close_ticks::integer FROM bar_minute
            WHERE bar_minute.contract_id = position.contract_id
              AND start >= greatest(opened_market_at - interval '1 minute', :day_began - interval '4 days')
            ORDER BY start DESC LIMIT 1) AS ticks,
           NULL::text AS side, opened_market_at AS at
    FROM position WHERE quantity > 0
    UNION ALL
    SELECT 'entry', orders.account_id, contract_id, quantity - booked.n, NULL, stop_loss_ticks, side, NULL
    FROM orders, LATERAL (
        SELECT coalesce(sum(fill.quantity), 0) AS n FROM fill WHERE fill.account_id = orders.account_id
        AND fill.venue_order_id = orders.venue_order_id AND NOT is_voided) AS booked
    WHERE state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'WORKING') AND role = 'ENTRY'
    UNION ALL
    SELECT 'unbooked_entry', orders.account_id, contract_id, filled_quantity - booked.n, NULL, stop_loss_ticks, side,
           NULL
    FROM account JOIN orders ON orders.account_id = account.id AND filled_quantity > 0
        AND orders.updated_at > now() - interval '1 minute', LATERAL (
        SELECT coalesce(sum(fill.quantity), 0) AS n FROM fill WHERE fill.account_id = orders.account_id
        AND fill.venue_order_id = orders.venue_order_id AND NOT is_voided) AS booked
    WHERE role = 'ENTRY' AND state NOT IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'WORKING')
      AND filled_quantity > booked.n
    UNION ALL
    SELECT CASE WHEN type IN ('STOP', 'TRAILING_STOP') THEN 'external_stop' ELSE 'external_limit' END, account_id,
           contract_id, quantity - filled_quantity, coalesce(stop_price, limit_price), NULL, side, NULL
    FROM orders WHERE state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'WORKING') AND role = 'OTHER'
    UNION ALL
    SELECT 'stop', account_id, contract_id, quantity - filled_quantity, stop_price, NULL, side, NULL
    FROM orders WHERE state = 'WORKING' AND role = 'STOP_LOSS' AND stop_price IS NOT NULL
    UNION ALL
    SELECT 'traded', account_id, '', count(*), NULL, NULL, NULL, NULL
    FROM orders WHERE role = 'ENTRY' AND filled_quantity > 0 AND state <> 'WORKING'
      AND created_at > now() - interval '1 day' AND submitted_market_at >= :day_began GROUP BY account_id
    UNION ALL
    SELECT 'closed_trade', account_id, '', sum(quantity), sum(gross_pnl - fees - commissions), NULL, NULL,
           max(filled_market_at)
    FROM fill WHERE account_id = ANY(:accounts) AND filled_market_at >= :day_began AND gross_pnl IS NOT NULL
      AND NOT is_voided GROUP BY account_id, venue_order_id
    UNION ALL
    SELECT 'opening_costs', account_id, '', count(*), sum(fees + commissions), NULL, NULL, NULL
    FROM fill WHERE account_id = ANY(:accounts) AND filled_market_at >= :day_began AND gross_pnl IS NULL
      AND NOT is_voided GROUP BY account_id
    UNION ALL
    SELECT 'sent', account_id, '', count(*), NULL, NULL, NULL, min(submitted_at)
    FROM orders WHERE created_at > now() - interval '5 minutes' AND submitted_at > now() - interval '1 minute'
    GROUP BY account_id
    UNION ALL
    SELECT 'in_doubt', account_id, contract_id, 1, NULL, NULL, NULL, NULL FROM orders WHERE state = 'IN_DOUBT'
    UNION ALL
    SELECT 'arriving', account_id, contract_id, 1, NULL, NULL, side, NULL
    FROM orders WHERE account_id = ANY(:accounts) AND role = 'ENTRY'
      AND state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'WORKING') AND (state <> 'WORKING' OR type = 'MARKET')
    UNION ALL
    SELECT 'arriving', account_id, contract_id, 1, NULL, NULL, side, NULL
    FROM orders WHERE account_id = ANY(:accounts) AND origin <> 'external' AND filled_quantity > 0
      AND updated_at > now() - interval '1 minute' AND filled_quantity > (
          SELECT coalesce(sum(fill.quantity), 0) FROM fill WHERE fill.account_id = orders.account_id
          AND fill.venue_order_id = orders.venue_order_id AND NOT is_voided)
    UNION ALL
    SELECT 'flatten_request', account_id, coalesce(contract_id, ''), 1, NULL, NULL, reason, requested_at
    FROM flatten_request WHERE flat_at IS NULL AND dropped_at IS NULL
    UNION ALL
    SELECT 'day', account_id, '', 0, closing_balance - opening_balance - moved, NULL, trading_day::text, NULL
    FROM account_day WHERE account_id = ANY(:accounts)
    UNION ALL
    SELECT 'reduced', account_id, contract_id, 1, NULL, NULL, NULL, NULL FROM reduction
    WHERE account_id = ANY(:accounts) AND trading_day = :day AND {reductions.IS_MADE}
    UNION ALL
    SELECT 'low_disk', one, path, free_bytes, NULL, NULL, host, NULL
    FROM disk_space, unnest(CAST(:accounts AS bigint[])) AS one
    WHERE free_bytes < :low_disk AND checked_at BETWEEN now() - :disk_fresh AND now() + :disk_fresh
"""  # noqa: S608  # no value enters the text
)


@dataclass(slots=True)
class Facts:
    """The rows of one account by their kind."""

    held: list[Row[Any]] = field(default_factory=list)
    entry: list[Row[Any]] = field(default_factory=list)
    unbooked_entry: list[Row[Any]] = field(
        default_factory=list
    )  # filled by its own report, and not in the position yet
    stop: list[Row[Any]] = field(default_factory=list)
    external_stop: list[Row[Any]] = field(default_factory=list)
    external_limit: list[Row[Any]] = field(default_factory=list)
    too_large_stop: list[Row[Any]] = field(default_factory=list)  # external, and larger than the position
    traded: list[Row[Any]] = field(default_factory=list)
    closed_trade: list[Row[Any]] = field(default_factory=list)
    opening_costs: list[Row[Any]] = field(default_factory=list)
    sent: list[Row[Any]] = field(default_factory=list)
    in_doubt: list[Row[Any]] = field(default_factory=list)
    arriving: list[Row[Any]] = field(default_factory=list)
    flatten_request: list[Row[Any]] = field(default_factory=list)
    day: list[Row[Any]] = field(default_factory=list)
    reduced: list[Row[Any]] = field(default_factory=list)
    low_disk: list[Row[Any]] = field(default_factory=list)

    def sort_external_orders(self) -> None:
        """Add each order that was placed elsewhere to the stops or the entries, or to neither if it is a target.

        The position as it is now decides: one that has changed since makes an entry of an order that protected it.
        """
        external = [*self.external_stop, *self.external_limit]
        for contract_id in sorted({row.contract_id for row in external}):
            rows = [row for row in external if row.contract_id == contract_id]
            position = sum(row.n for row in self.held if row.contract_id == contract_id)
            resting = [ExternalOrder(row.kind == "external_stop", Side(row.side), row.n, row.price) for row in rows]
            for row, order, protects in zip(rows, resting, mark_protection(position, resting), strict=True):
                if not protects:
                    self.entry.append(row)
                    if order.is_stop:
                        self.too_large_stop.append(row)
                elif order.is_stop and row.price is not None:
                    self.stop.append(row)
