"""The masking of secrets in what is logged, stored or shown."""

import re

# A password in a URL, up to the last @ before a slash; a bearer or API token, any JWT, a webhook token in a path, a
# secret that signs webhooks, the venue's key, the token of a Telegram bot: none may be logged.
_SECRETS = re.compile(
    r"(?<=://)([^\s:/]*):[^\s@]+@(?:[^\s/@\"']*@)*|(?i:bearer )\S+|(?<=/hooks/tv/)[\w%-]+|(access_token=)[^&\s]+"
    r"|(?<!\d)\d{6,}(?::|%3A)(?![0-9a-f]{8}-)[\w-]{30,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\btw_[\w-]{43}|\bwhsec_[\w+/=-]+"
    r"|(\bapiKey\W{1,5})[^\s\"',}]+"
)
_PASSWORD_IN_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&\s]+")


def mask_secrets(text: str) -> str:
    """Return `text` with passwords, keys and tokens replaced by stars."""
    return _SECRETS.sub(_mask, _PASSWORD_IN_QUERY.sub(r"\1***", text))


def _mask(match: re.Match[str]) -> str:
    found = match.group()
    if found.endswith("@"):
        return f"{match.group(1)}:***@"
    if found.lower().startswith("bearer "):
        return "Bearer ***"
    return f"{match.group(2) or match.group(3) or ''}***"
