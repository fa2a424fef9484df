-- What a person writes about a trade; no other part of Tickwork reads it.

-- A trade is booked again when a fill comes late, so nothing refers to its row: the key is that of the trade.
CREATE TABLE trade_note (
    account_id bigint NOT NULL,
    contract_id text NOT NULL,
    opening_fill_id bigint NOT NULL,
    part integer NOT NULL,
    note text DEFAULT '' NOT NULL,
    tags text[] DEFAULT '{}' NOT NULL,
    changed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_trade_note PRIMARY KEY (account_id, contract_id, opening_fill_id, part),
    CONSTRAINT fk_trade_note_account_id FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT fk_trade_note_contract_id FOREIGN KEY (contract_id) REFERENCES contract (id)
);
