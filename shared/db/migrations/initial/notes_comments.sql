-- What the table of notes and its columns mean.

COMMENT ON TABLE trade_note IS 'A person''s note and tags on a trade (a row of round_trip with the same key)';
COMMENT ON COLUMN trade_note.account_id IS 'The account of the trade, by the venue''s id';
COMMENT ON COLUMN trade_note.contract_id IS 'The contract of the trade, by the venue''s id';
COMMENT ON COLUMN trade_note.opening_fill_id IS 'The venue''s id of the fill that opened the trade';
COMMENT ON COLUMN trade_note.part IS '1 if that fill first closed another trade (a reversal), else 0';
COMMENT ON COLUMN trade_note.note IS 'The note, of no characters if there are only tags';
COMMENT ON COLUMN trade_note.tags IS 'The tags, sorted, in lower case';
COMMENT ON COLUMN trade_note.changed_at IS 'When the note or the tags were last changed (this computer''s time)';
