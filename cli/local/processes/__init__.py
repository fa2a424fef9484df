"""The programs of a stack, and the supervisor that keeps them running."""
