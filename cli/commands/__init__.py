"""The commands, a module each, named as they are typed; account_rules and order_entry hold subcommands."""
