"""The commands, a module each, named as they are typed; account_rules, hook_secrets, order_entry hold subcommands."""
