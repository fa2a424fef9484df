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

COMMENT ON TABLE trade_note IS 'A person''s note and tags on a trade (a row of round_trip with the same key)';
COMMENT ON COLUMN trade_note.account_id IS 'The account of the trade, by the venue''s id';
COMMENT ON COLUMN trade_note.contract_id IS 'The contract of the trade, by the venue''s id';
COMMENT ON COLUMN trade_note.opening_fill_id IS 'The venue''s id of the fill that opened the trade';
COMMENT ON COLUMN trade_note.part IS '1 if that fill first closed another trade (a reversal), else 0';
COMMENT ON COLUMN trade_note.note IS 'The note; empty if there are only tags';
COMMENT ON COLUMN trade_note.tags IS 'The tags, sorted, in lower case';
COMMENT ON COLUMN trade_note.changed_at IS 'When the note or the tags were last changed (this computer''s time)';
