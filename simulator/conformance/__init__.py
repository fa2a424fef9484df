"""The conformance run: a client that asks a gateway what no document answers, and compares it with the simulator."""
