"""The commands by what a person wants to do, each with its line of help: `--help` imports none of them."""

SECTIONS: dict[str, dict[str, str]] = {
    "Trade": {
        "orders": "List positions, orders and fills.",
        "positions": "List open positions, profit and stops.",
        "flatten": "Close all positions, then cancel all orders.",
        "halt": "Stop new entries at once.",
        "resume": "Allow entries again.",
        "approvals": "List the entries that wait for approval.",
    },
    "See": {
        "top": "Show positions, profit, headroom, alerts and queues.",
        "status": "Show the programs and their addresses.",
        "accounts": "List the accounts.",
        "risk": "Show the headroom of each rule.",
        "trades": "List round trips, newest first.",
        "statement": "Show the trades of a month, with their fees.",
        "alerts": "Show received alerts and their outcomes.",
        "quotes": "Show the newest price of each contract.",
        "bars": "Show, draw, check, fetch, export and import bars.",
        "jobs": "List jobs, newest first.",
        "trace": "Show the way of an alert, an order or a job, step by step.",
        "export": "Write rows as CSV, oldest first, without a limit.",
        "metrics": "Show figures of the last hour.",
        "logs": "Show the last lines of a program's log.",
    },
    "Run": {
        "up": "Start the stack and keep it running until Ctrl-C.",
        "down": "Stop the stack.",
        "restart": "Restart one program of the running stack.",
        "doctor": "Check this computer and the running stack.",
        "markets": "List the markets of this home.",
        "schedule": "List, change, pause and run the scheduled jobs.",
        "strategies": "List the accounts of each strategy.",
        "sim": "Run the venue's simulator on its own.",
        "conformance": "Compare a gateway with the simulator, question by question.",
    },
    "Set up": {
        "setup": "Set up Tickwork step by step.",
        "config": "Show and change the settings in settings.toml.",
        "hooks": "Add, list, change and remove webhooks for alerts.",
        "notify": "Add, list, test and remove the channels that tell you what happens.",
        "telegram": "Set up the bot that takes status, halt and flatten from Telegram, and its users.",
        "tokens": "Add, list and revoke API tokens, with which programs request jobs.",
        "db": "Upgrade the database, or open psql on it.",
        "completion": "Print the shell's completion script.",
    },
}
ALIASES = {
    "account": "accounts", "alert": "alerts", "approval": "approvals", "bar": "bars", "hook": "hooks", "job": "jobs",
    "order": "orders", "position": "positions", "pos": "positions", "quote": "quotes", "start": "up", "stop": "down",
    "log": "logs", "strategy": "strategies", "token": "tokens", "trade": "trades",
}  # fmt: skip


def list_names() -> list[str]:
    """Return the names of all commands, section by section."""
    return [name for commands in SECTIONS.values() for name in commands]
