"""Webhooks, the alerts they took and the signals they became, as rows."""
