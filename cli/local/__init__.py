"""The whole stack on one computer: embedded servers, programs and their supervisor."""
