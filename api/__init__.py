"""The HTTP API: one file for each audience, one guard, one way to say what went wrong."""
