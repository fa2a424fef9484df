"""Jobs for upkeep: canaries, the probe of the receiver, and the deletion of old rows."""
