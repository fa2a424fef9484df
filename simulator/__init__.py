"""A simulated venue on this computer: its API, its rules and its market."""
