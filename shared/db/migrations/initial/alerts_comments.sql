-- The comments of the tables of alerts and signals.

COMMENT ON TABLE hook IS 'A webhook: an address that takes the alerts of one sender for an account and its followers.';
COMMENT ON COLUMN hook.id IS 'The id of the webhook.';
COMMENT ON COLUMN hook.name IS 'The name that a person gave it.';
COMMENT ON COLUMN hook.token_hash IS 'Hash of the secret token in its URL; hidden from the read-only role.';
COMMENT ON COLUMN hook.previous_token_hash IS
    'Hash of the token before the last rotation; hidden from the read-only role; empty: none.';
COMMENT ON COLUMN hook.previous_token_until IS 'Until when the previous token still works; empty: there is none.';
COMMENT ON COLUMN hook.account_id IS 'The account that its alerts trade.';
COMMENT ON COLUMN hook.settings IS 'Its settings that differ from the defaults, such as dialect, symbols and size.';
COMMENT ON COLUMN hook.created_at IS 'When it was added.';
COMMENT ON COLUMN hook.paused_at IS 'Since when it takes no alert; empty: it is not paused.';
COMMENT ON COLUMN hook.removed_at IS 'When it was removed; empty: it is in use.';

COMMENT ON TABLE hook_follower IS 'A follower account, which trades the alerts of a webhook too.';
COMMENT ON COLUMN hook_follower.hook_id IS 'The webhook.';
COMMENT ON COLUMN hook_follower.account_id IS 'The follower account.';
COMMENT ON COLUMN hook_follower.ratio IS
    'Ratio of the follower''s sizes to those of the webhook''s account, such as 0.5.';
COMMENT ON COLUMN hook_follower.unfollowed_at IS 'When the account stopped following; empty: it follows.';

COMMENT ON TABLE hook_secret IS
    'A key with which the sender of a webhook signs its requests; several at once while one is replaced.';
COMMENT ON COLUMN hook_secret.id IS 'The id of the key.';
COMMENT ON COLUMN hook_secret.hook_id IS 'The webhook.';
COMMENT ON COLUMN hook_secret.scheme IS 'How requests are signed: standard-webhooks, github or stripe.';
COMMENT ON COLUMN hook_secret.secret IS 'The key itself; hidden from the read-only role.';
COMMENT ON COLUMN hook_secret.created_at IS 'When it was added.';
COMMENT ON COLUMN hook_secret.expires_at IS 'When it stops to sign; empty: never.';

COMMENT ON TABLE api_token IS 'A token with which a program requests jobs over HTTP.';
COMMENT ON COLUMN api_token.id IS 'The id of the token.';
COMMENT ON COLUMN api_token.name IS 'The name that a person gave it.';
COMMENT ON COLUMN api_token.token_hash IS 'Hash of the secret; hidden from the read-only role.';
COMMENT ON COLUMN api_token.job_names IS 'The names of the jobs that it may request.';
COMMENT ON COLUMN api_token.created_at IS 'When it was added.';
COMMENT ON COLUMN api_token.expires_at IS 'When it stops to work; empty: never.';
COMMENT ON COLUMN api_token.revoked_at IS 'When it was revoked; empty: it is in use.';
COMMENT ON COLUMN api_token.used_at IS 'When it was last used; empty: never.';

COMMENT ON TABLE alert IS 'A message that the receiver read for a webhook, accepted or refused.';
COMMENT ON COLUMN alert.id IS 'The id of the alert, in the order of arrival.';
COMMENT ON COLUMN alert.hook_id IS 'The webhook that received it.';
COMMENT ON COLUMN alert.received_at IS 'When it arrived.';
COMMENT ON COLUMN alert.body IS 'The message as it was received, in bytes; convert_from(body, ''UTF8'') shows it.';
COMMENT ON COLUMN alert.payload IS 'The message as JSON; empty: it is no JSON of the dialect tickwork.';
COMMENT ON COLUMN alert.dialect IS 'How the message was read, such as tickwork or tradingview.';
COMMENT ON COLUMN alert.action IS
    'BUY, SELL, CLOSE, CANCEL, MOVE_STOP, BREAKEVEN, TRAIL, TEST, or TARGET for a position that is to be held;'
    ' empty: it could not be read.';
COMMENT ON COLUMN alert.root IS 'The root of the symbol, such as MNQ; empty: it could not be read.';
COMMENT ON COLUMN alert.sent_at IS 'When it was sent, by the sender''s clock; empty: the message does not say.';
COMMENT ON COLUMN alert.external_id IS 'The sender''s own id of the message; empty: it has none.';
COMMENT ON COLUMN alert.verdict IS 'accepted: a job handles it; refused: the sender was answered with an error.';
COMMENT ON COLUMN alert.reason IS 'Why it was refused, or which alert it replays; empty: accepted as it came.';
COMMENT ON COLUMN alert.job_id IS
    'The job that handles it, whose id is the correlation id of all that it causes; empty: refused.';

COMMENT ON TABLE signal IS
    'A request to trade on one account, of an alert, a strategy or a person, with the verdict of the pre-trade'
    ' check.';
COMMENT ON COLUMN signal.id IS 'The id of the signal, in the order of creation.';
COMMENT ON COLUMN signal.origin IS 'What made it: alert, strategy or manual.';
COMMENT ON COLUMN signal.alert_id IS 'The alert; empty: it came of a strategy or a person.';
COMMENT ON COLUMN signal.strategy IS 'The strategy; empty: it came of an alert or a person.';
COMMENT ON COLUMN signal.account_id IS 'The account.';
COMMENT ON COLUMN signal.contract_id IS 'The contract; empty: it means no single contract, such as a cancel of all.';
COMMENT ON COLUMN signal.action IS 'BUY, SELL, CLOSE, CANCEL, MOVE_STOP, BREAKEVEN or TRAIL.';
COMMENT ON COLUMN signal.quantity IS 'Contracts; empty: the whole position, or sized by risk.';
COMMENT ON COLUMN signal.verdict IS
    'accepted: it was acted on, or there was nothing to do; denied: the pre-trade check forbids it.';
COMMENT ON COLUMN signal.reason IS 'Why it was denied, or what was done instead of an order; empty: nothing to add.';
COMMENT ON COLUMN signal.figures IS
    'What the verdict on an entry saw: the quote, dollars at its stop, equity, position, and dollars left by loss '
    'limit before it; empty: no entry, or denied before its risk was measured.';
COMMENT ON COLUMN signal.correlation_id IS 'Shared by all rows of one cause: the alert''s job, its orders and changes.';
COMMENT ON COLUMN signal.decided_at IS 'When it was decided.';
COMMENT ON COLUMN signal.decided_market_at IS 'The same in market time.';
