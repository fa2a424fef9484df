"""Marks in the scope of a request, by which the protocol and the routes tell each other what they know of it."""

IS_WHOLE = "tickwork.is_whole"  # its last byte has arrived
IS_STORING = "tickwork.is_storing"  # what it asks for is being stored, so its connection must not be the one to end
