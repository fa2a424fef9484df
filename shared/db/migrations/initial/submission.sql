-- The last step before an order is sent: whether it may be, with the rows of its account locked.

-- Whether an entry leaves a smaller position, or none, even after all that works on its side has filled: other entries,
-- exits, and orders made elsewhere but for stops, which protect.
CREATE FUNCTION only_reduces(it orders) RETURNS boolean LANGUAGE sql AS $$
    SELECT coalesce(sum(quantity - filled_quantity), it.quantity) <= coalesce((
        SELECT CASE WHEN (direction = 'LONG') = (it.side = 'SELL') THEN position.quantity ELSE -position.quantity END
        FROM position WHERE account_id = it.account_id AND contract_id = it.contract_id
    ), 0)
    FROM orders WHERE account_id = it.account_id AND contract_id = it.contract_id AND side = it.side
    AND role NOT IN ('STOP_LOSS', 'TAKE_PROFIT') AND NOT (role = 'OTHER' AND type IN ('STOP', 'TRAILING_STOP'))
    AND state IN ('CREATED', 'SUBMITTING', 'IN_DOUBT', 'WORKING')
$$;

-- Whether a market entry that was requested after an entry has closed all that this one would add to.
CREATE FUNCTION was_reversed_since(it orders) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    requested_by uuid := CASE it.origin
        WHEN 'manual' THEN it.correlation_id ELSE (SELECT alert_id FROM signal WHERE id = it.signal_id)
    END;
BEGIN
    IF requested_by IS NULL THEN
        RETURN EXISTS (
            SELECT FROM entry_reversal WHERE account_id = it.account_id AND contract_id = it.contract_id
            AND side <> it.side AND closes_all AND requested_at > it.created_at
        );
    END IF;
    RETURN EXISTS (
        SELECT FROM entry_reversal WHERE account_id = it.account_id AND contract_id = it.contract_id
        AND side <> it.side AND closes_all AND request_id > requested_by
    );
END $$;

-- The checks before an order is sent, in one round trip: it becomes SUBMITTING, or with the obstacle DENIED. One that
-- was in doubt before may be at the venue and becomes EXPIRED. An exit becomes CANCELLED while a flatten is open, as two
-- closing orders could reverse the position; it waits for no lock of the account. Each statement sees the rows as they are after the lock.
CREATE FUNCTION mark_submitting(wanted uuid, machine_now timestamptz, market_now timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    it orders;
    obstacle text;
    of_account record;
BEGIN
    SELECT * INTO it FROM orders WHERE id = wanted;
    IF it.role = 'ENTRY' THEN
        SELECT halted_at, halt_reason, is_reduce_only, is_shadow,
               other_ordered_market_at > greatest(other_gone_market_at, market_now - interval '24 hours') AS is_read_only
        INTO of_account FROM account
        WHERE id = it.account_id FOR SHARE;
        IF of_account.halted_at IS NOT NULL AND NOT of_account.is_reduce_only THEN
            obstacle := 'the account is halted: ' || coalesce(of_account.halt_reason, 'no reason was kept');
        ELSIF of_account.is_reduce_only AND NOT only_reduces(it) THEN
            obstacle := 'the account is reduce-only, and the order does not only reduce: '
                        || coalesce(of_account.halt_reason, 'no reason was kept');
        ELSIF of_account.is_shadow THEN
            obstacle := 'the account is in shadow mode';
        ELSIF of_account.is_read_only THEN
            obstacle := 'another installation of Tickwork trades the account';
        ELSIF EXISTS (
            SELECT FROM flatten_request WHERE account_id = it.account_id AND flat_at IS NULL AND dropped_at IS NULL
            AND (contract_id IS NULL OR contract_id = it.contract_id)
        ) THEN
            obstacle := 'the account is being flattened';
        ELSIF was_reversed_since(it) THEN
            obstacle := 'an entry that reversed ' || it.contract_id || ' was requested after this one';
        END IF;
        IF obstacle IS NOT NULL THEN
            UPDATE orders SET state = CASE WHEN in_doubt_at IS NULL THEN 'DENIED' ELSE 'EXPIRED' END,
                   reason = obstacle, updated_at = now()
            WHERE id = wanted AND state = 'CREATED';
            RETURN obstacle;
        END IF;
    ELSIF it.role = 'EXIT' AND EXISTS (
        SELECT FROM flatten_request WHERE account_id = it.account_id AND flat_at IS NULL AND dropped_at IS NULL
        AND (contract_id IS NULL OR contract_id = it.contract_id)
    ) THEN
        obstacle := it.contract_id || ' is being flattened';
        UPDATE orders SET state = 'CANCELLED', reason = obstacle, updated_at = now()
        WHERE id = wanted AND state = 'CREATED';
        RETURN obstacle;
    END IF;
    UPDATE orders SET state = 'SUBMITTING', updated_at = now(), submitted_at = machine_now,
           submitted_market_at = coalesce(submitted_market_at, market_now)
    WHERE id = wanted AND state = 'CREATED';
    RETURN CASE WHEN FOUND THEN 'submitting' ELSE 'moved' END;
END $$;
