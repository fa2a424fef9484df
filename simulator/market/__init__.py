"""The market of the simulator: prices from a seeded random walk or a recorded file."""
