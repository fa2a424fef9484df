"""The stage of an account, and the login that reaches it; pure."""
