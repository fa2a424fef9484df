"""Run the whole stack on one computer: embedded servers and their supervisor."""
