"""The command-line interface: commands, their clients of a stack, and the local stack."""
