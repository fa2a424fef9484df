-- The tables of the market: its clock, contracts and one-minute bars.

CREATE TABLE market_clock (
    is_only boolean DEFAULT true NOT NULL,
    market text NOT NULL,
    kind text NOT NULL,
    machine_origin_at timestamptz NOT NULL,
    market_origin_at timestamptz NOT NULL,
    speed integer NOT NULL,
    ends_market_at timestamptz,
    CONSTRAINT pk_market_clock PRIMARY KEY (is_only),
    CONSTRAINT ck_market_clock_one_row CHECK (is_only),
    CONSTRAINT ck_market_clock_kind CHECK (kind IN ('live','seeded','replay')),
    CONSTRAINT ck_market_clock_speed CHECK (speed >= 1)
);

CREATE TABLE contract (
    id text NOT NULL,
    name text NOT NULL,
    root text NOT NULL,
    tick_size numeric NOT NULL,
    tick_value numeric NOT NULL,
    is_active boolean NOT NULL,
    active_day date,
    absent_at timestamptz,
    is_tracked boolean DEFAULT false NOT NULL,
    untracked_market_at timestamptz,
    coverage tstzmultirange DEFAULT '{}' NOT NULL,
    unconfirmed tstzmultirange DEFAULT '{}' NOT NULL,
    answered_market_at timestamptz,
    bars_revision bigint DEFAULT 0 NOT NULL,
    session_opens time DEFAULT '17:00' NOT NULL,
    session_closes time DEFAULT '16:00' NOT NULL,
    special_hours jsonb DEFAULT '{}' NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_contract PRIMARY KEY (id)
);

CREATE INDEX ix_contract_root ON contract (root);

CREATE TABLE bar_minute (
    contract_id text NOT NULL,
    start timestamptz NOT NULL,
    open_ticks integer NOT NULL,
    high_ticks integer NOT NULL,
    low_ticks integer NOT NULL,
    close_ticks integer NOT NULL,
    volume integer NOT NULL,
    CONSTRAINT pk_bar_minute PRIMARY KEY (contract_id, start),
    CONSTRAINT fk_bar_minute_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE TABLE bar_correction (
    contract_id text NOT NULL,
    start timestamptz NOT NULL,
    corrected_at timestamptz DEFAULT now() NOT NULL,
    open_ticks integer NOT NULL,
    high_ticks integer NOT NULL,
    low_ticks integer NOT NULL,
    close_ticks integer NOT NULL,
    volume integer NOT NULL,
    CONSTRAINT pk_bar_correction PRIMARY KEY (contract_id, start, corrected_at),
    CONSTRAINT fk_bar_correction_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

-- The bars of a trading day that is over, packed; bar_minute has none of that day.
CREATE TABLE bar_day (
    contract_id text NOT NULL,
    trading_day date NOT NULL,
    bar_count integer NOT NULL,
    first_start timestamptz NOT NULL,
    first_open_ticks integer NOT NULL,
    value_bytes smallint NOT NULL,
    packed bytea NOT NULL,
    packed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_bar_day PRIMARY KEY (contract_id, trading_day),
    CONSTRAINT fk_bar_day_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id),
    CONSTRAINT ck_bar_day_value_bytes CHECK (value_bytes IN (2, 4)),
    CONSTRAINT ck_bar_day_packed CHECK (length(packed) = bar_count * (5 * value_bytes + 4))
);

-- Compressing would make it no smaller, and reading slower.
ALTER TABLE bar_day ALTER COLUMN packed SET STORAGE EXTERNAL;

CREATE TABLE rejected_bar (
    contract_id text NOT NULL,
    record text NOT NULL,
    start timestamptz,
    reason text NOT NULL,
    first_seen_at timestamptz DEFAULT now() NOT NULL,
    last_seen_at timestamptz DEFAULT now() NOT NULL,
    lacked_at timestamptz,
    withdrawn_at timestamptz,
    CONSTRAINT pk_rejected_bar PRIMARY KEY (contract_id, record),
    CONSTRAINT fk_rejected_bar_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);

CREATE INDEX ix_rejected_bar_last_seen_at ON rejected_bar (last_seen_at);
CREATE INDEX ix_rejected_bar_start ON rejected_bar (contract_id, start);

-- The current market time, empty while the database has no market. In seconds: an interval of days would be as long as
-- the days of the session's time zone.
CREATE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT market_origin_at + interval '1 second' * (extract(epoch FROM now() - machine_origin_at) * speed)
    FROM market_clock
$$;

-- The firm's trading day at an instant of market time: it begins at 17:00 in Chicago, and a weekend belongs to Monday.
CREATE FUNCTION trading_day_at(market_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (market_at AT TIME ZONE 'America/Chicago' + interval '7 hours')::date + (ARRAY[0, 0, 0, 0, 0, 2, 1])[
        extract(isodow FROM market_at AT TIME ZONE 'America/Chicago' + interval '7 hours')::integer]
$$;

-- The instant of market time at which a trading day begins.
CREATE FUNCTION trading_day_begins(trading_day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (trading_day - 1 + time '17:00') AT TIME ZONE 'America/Chicago'
$$;

-- The milliseconds from one instant to another, empty if one of them is.
CREATE FUNCTION milliseconds_between(start timestamptz, "end" timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT round(extract(epoch FROM "end" - start) * 1000, 1) $$;

-- The bars of a packed day, in ticks. As `unpack` in shared/domain/market_data/bar_packing.py.
CREATE FUNCTION unpack_bars(day bar_day)
RETURNS TABLE (start timestamptz, open_ticks integer, high_ticks integer, low_ticks integer, close_ticks integer,
               volume integer)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 1400 AS $$
DECLARE
    data bytea := day.packed || ''::bytea;  -- a copy in memory: each use of the original would read it from its table
    size integer := day.value_bytes;
    shift integer := 32 - 8 * day.value_bytes;  -- to the right, which keeps the sign
    behind integer := day.bar_count * day.value_bytes;
    at integer;
BEGIN
    start := day.first_start;
    close_ticks := day.first_open_ticks;
    FOR number IN 0 .. day.bar_count - 1 LOOP
        at := 1 + number * size;
        start := start + make_interval(mins =>
            ('x' || encode(substring(data FROM at FOR size), 'hex'))::bit(32)::integer >> shift);
        open_ticks := close_ticks
            + (('x' || encode(substring(data FROM at + behind FOR size), 'hex'))::bit(32)::integer >> shift);
        high_ticks := open_ticks
            + (('x' || encode(substring(data FROM at + 2 * behind FOR size), 'hex'))::bit(32)::integer >> shift);
        low_ticks := open_ticks
            - (('x' || encode(substring(data FROM at + 3 * behind FOR size), 'hex'))::bit(32)::integer >> shift);
        close_ticks := open_ticks
            + (('x' || encode(substring(data FROM at + 4 * behind FOR size), 'hex'))::bit(32)::integer >> shift);
        volume := ('x' || encode(substring(data FROM 1 + 5 * behind + 4 * number FOR 4), 'hex'))::bit(32)::integer;
        RETURN NEXT;
    END LOOP;
END $$;

-- For people: closed one-minute bars in prices. A condition on contract and trading_day keeps the rest unread.
CREATE VIEW bars AS
SELECT contract_id AS contract, '1m'::text AS timeframe, minute.start,
       open_ticks * tick_size AS open, high_ticks * tick_size AS high,
       low_ticks * tick_size AS low, close_ticks * tick_size AS close, volume, trading_day
FROM bar_day JOIN contract ON contract.id = contract_id, unpack_bars(bar_day) AS minute
UNION ALL
SELECT contract_id, '1m'::text, start,
       open_ticks * tick_size, high_ticks * tick_size,
       low_ticks * tick_size, close_ticks * tick_size, volume, trading_day_at(start)
FROM bar_minute JOIN contract ON contract.id = contract_id;

-- The instant at which the session of a trading day opens, by the regular opening of its market in Chicago.
CREATE FUNCTION session_opens_at(opens time, trading_day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (trading_day - CASE WHEN opens >= time '17:00' THEN 1 ELSE 0 END + opens) AT TIME ZONE 'America/Chicago'
$$;

-- When the first session of some trading days opens and their last one closes; empty if they have none.
CREATE FUNCTION sessions_within(known contract, first_day date, last_day date, OUT opens_at timestamptz,
                                OUT closes_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min(session_opens_at(coalesce((hours ->> 'opens')::time, known.session_opens), day)),
           max((day + coalesce((hours ->> 'closes')::time, known.session_closes)) AT TIME ZONE 'America/Chicago')
    FROM (SELECT one::date AS day, known.special_hours -> to_char(one, 'YYYY-MM-DD') AS hours
          FROM generate_series(first_day::timestamp, last_day, '1 day') AS one) AS days
    WHERE extract(isodow FROM day) < 6 AND hours IS DISTINCT FROM 'null'
$$;

-- For people: the bars of a contract in any timeframe, such as 5m, 4h, 1d, 1w or 1mo, oldest first: those that start
-- from `since` on and before `until`, or the `newest` of them. A bar that has not closed yet is left out.
CREATE FUNCTION bars_between(
    wanted text, length text DEFAULT '1m', since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL,
    newest integer DEFAULT NULL
) RETURNS TABLE (contract text, timeframe text, start timestamptz, open numeric, high numeric, low numeric,
                 close numeric, volume bigint, trading_day date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    unit text := substring(length FROM '^[0-9]+(m|h|d|w|mo)$');
    span integer := substring(length FROM '^[0-9]+')::integer * CASE unit WHEN 'm' THEN 1 WHEN 'h' THEN 60 ELSE 1440 END;
    first_day date := trading_day_at(since);
    last_day date := coalesce(trading_day_at(until), 'infinity');
    now_at timestamptz := coalesce(market_now(), 'infinity');
    known contract%ROWTYPE;
    enough bigint;
    rows_from timestamptz;
BEGIN
    IF unit IS NULL OR span < 1 OR unit IN ('m', 'h', 'd') AND span > 1440 OR unit IN ('w', 'mo') AND span <> 1440 THEN
        RAISE EXCEPTION 'timeframe % is none of 1m to 1440m, 1h to 24h, 1d, 1w and 1mo', quote_nullable(length);
    END IF;
    SELECT * INTO known FROM contract WHERE id = wanted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'unknown contract %: the table contract lists them', quote_nullable(wanted);
    END IF;
    IF unit = 'w' THEN
        first_day := date_trunc('week', first_day);
        last_day := last_day + CASE WHEN isfinite(last_day) THEN 6 ELSE 0 END;
    ELSIF unit = 'mo' THEN
        first_day := date_trunc('month', first_day);
        last_day := last_day + CASE WHEN isfinite(last_day) THEN 30 ELSE 0 END;
    END IF;
    IF first_day IS NULL AND newest IS NOT NULL THEN
        -- From the newest day on that has enough minutes after it: each bar has at least one.
        enough := newest::bigint * span * CASE unit WHEN 'w' THEN 7 WHEN 'mo' THEN 31 ELSE 1 END;
        SELECT max(day) INTO first_day FROM (
            SELECT day, sum(count) OVER (ORDER BY day DESC) - count AS later
            FROM (SELECT bar_day.trading_day AS day, CASE WHEN until IS NULL OR bar_day.trading_day < last_day
                                                          THEN bar_count ELSE 0 END AS count
                  FROM bar_day WHERE contract_id = wanted AND bar_day.trading_day <= last_day
                  UNION ALL
                  SELECT trading_day_at(minute.start), count(*)
                  FROM (SELECT bar_minute.start FROM bar_minute
                        WHERE contract_id = wanted AND bar_minute.start < coalesce(until, 'infinity')
                        ORDER BY bar_minute.start DESC LIMIT enough + 1) AS minute GROUP BY 1) AS days
        ) AS days WHERE later >= enough;
        first_day := CASE unit WHEN 'w' THEN date_trunc('week', first_day) WHEN 'mo' THEN date_trunc('month', first_day)
                     ELSE first_day END;
    END IF;
    -- Rows of a day may begin with the weekend before it.
    rows_from := coalesce(trading_day_begins(first_day) - interval '3 days', '-infinity');
    IF span = 1 THEN
        RETURN QUERY
        SELECT wanted, length, one.start, one.open_ticks * known.tick_size, one.high_ticks * known.tick_size,
               one.low_ticks * known.tick_size, one.close_ticks * known.tick_size, one.volume::bigint, one.trading_day
        FROM (
            (SELECT minute.*, bar_day.trading_day FROM bar_day, unpack_bars(bar_day) AS minute
             WHERE contract_id = wanted AND bar_day.trading_day BETWEEN coalesce(first_day, '-infinity') AND last_day
                   AND (since IS NULL OR minute.start >= since) AND (until IS NULL OR minute.start < until))
            UNION ALL
            (SELECT minute.start, minute.open_ticks, minute.high_ticks, minute.low_ticks, minute.close_ticks,
                    minute.volume, trading_day_at(minute.start)
             FROM bar_minute AS minute
             WHERE contract_id = wanted AND minute.start >= coalesce(since, rows_from)
                   AND minute.start < coalesce(until, 'infinity')
             ORDER BY minute.start DESC LIMIT newest)
            ORDER BY 1 DESC LIMIT newest
        ) AS one ORDER BY one.start;
        RETURN;
    END IF;
    RETURN QUERY
    WITH minute AS MATERIALIZED (
        SELECT one.start, one.open_ticks, one.high_ticks, one.low_ticks, one.close_ticks, one.volume, bar_day.trading_day
        FROM bar_day, unpack_bars(bar_day) AS one
        WHERE contract_id = wanted
              AND bar_day.trading_day BETWEEN coalesce(first_day, '-infinity') AND last_day
        UNION ALL
        SELECT one.start, one.open_ticks, one.high_ticks, one.low_ticks, one.close_ticks, one.volume,
               trading_day_at(one.start)
        FROM bar_minute AS one
        WHERE contract_id = wanted AND one.start >= rows_from
              AND trading_day_at(one.start) BETWEEN coalesce(first_day, '-infinity') AND last_day
    ), day AS MATERIALIZED (
        SELECT trading_day, opens_at, closes_at
        FROM (SELECT DISTINCT trading_day FROM minute) AS one, sessions_within(known, trading_day, trading_day)
    ), placed AS (
        SELECT minute.*, day.opens_at, day.closes_at,
               CASE unit WHEN 'w' THEN date_trunc('week', minute.trading_day)::date
                         WHEN 'mo' THEN date_trunc('month', minute.trading_day)::date END AS period,
               CASE WHEN unit IN ('m', 'h', 'd')
                    THEN floor(extract(epoch FROM minute.start - day.opens_at) / 60 / span) END AS number
        FROM minute JOIN day USING (trading_day)
        WHERE minute.start >= day.opens_at AND minute.start < day.closes_at
    ), bar AS (
        SELECT min(opens_at) + make_interval(mins => (number * span)::integer) AS start,
               (array_agg(open_ticks ORDER BY placed.start))[1] AS open_ticks, max(high_ticks) AS high_ticks,
               min(low_ticks) AS low_ticks, (array_agg(close_ticks ORDER BY placed.start DESC))[1] AS close_ticks,
               sum(placed.volume)::bigint AS volume, max(placed.trading_day) AS trading_day,
               least(min(opens_at) + make_interval(mins => ((number + 1) * span)::integer), min(closes_at)) AS ends_at,
               period
        FROM placed GROUP BY CASE WHEN period IS NULL THEN placed.trading_day END, period, number
    ), named AS (
        SELECT coalesce(sessions.opens_at, bar.start) AS start, open_ticks, high_ticks, low_ticks, close_ticks, volume,
               trading_day, CASE WHEN period IS NULL THEN ends_at ELSE sessions.closes_at END AS ends_at
        FROM bar LEFT JOIN LATERAL sessions_within(
            known, period,
            CASE unit WHEN 'w' THEN period + 6 ELSE (period + interval '1 month')::date - 1 END
        ) AS sessions ON period IS NOT NULL
    ), closed AS (
        SELECT * FROM named AS bar
        WHERE ends_at <= now_at AND (since IS NULL OR bar.start >= since) AND (until IS NULL OR bar.start < until)
        ORDER BY bar.start DESC LIMIT newest
    )
    SELECT wanted, length, closed.start, open_ticks * known.tick_size, high_ticks * known.tick_size,
           low_ticks * known.tick_size, close_ticks * known.tick_size, closed.volume, closed.trading_day
    FROM closed ORDER BY closed.start;
END $$;
