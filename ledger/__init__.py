"""PostgreSQL and nothing else. Functions take a Session and never commit: the request or the activity does, once, at the door."""
