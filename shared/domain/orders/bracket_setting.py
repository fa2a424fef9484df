"""The firm's setting of an account by which it accepts entries with brackets; no answer of the venue shows it."""

_REJECTION = "auto oco brackets"
TO_DO = (
    "in the firm's trading platform turn on Auto OCO Brackets for this account (Settings, Risk Settings): it is off "
    "for a new account, and set for each account by itself"
)


def names_bracket_setting(reason: str | None) -> bool:
    """Whether the venue rejected an order because the account is set to Position Brackets.

    It says `Brackets cannot be used with Position Brackets. You must enable Auto OCO Brackets.` Source: venue.md
    section 5.6.
    """
    return reason is not None and _REJECTION in reason.lower()
