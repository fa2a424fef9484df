"""The one way to read bars: from memory, Redis or Postgres, whichever has them complete."""
