"""The stage of an account, and the token of a login; pure."""
