"""Jobs for upkeep: canaries, and the deletion of old rows."""
