"""Webhooks, the alerts they received and the signals made from them, as rows."""
