"""Where prices come from: a seeded walk or a recorded file."""
