"""The folder of a stack, and what lies in it."""
