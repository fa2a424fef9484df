"""Code that every program uses."""
