"""Short verbs on a thread pool: each opens its own transactions, commits at its own door, and holds no connection in a call."""
