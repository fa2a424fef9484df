"""The trace exporter: sends the ways of alerts and orders to a collector of OpenTelemetry."""
