"""What stands between a message and its POST: identity, rate limit, files, checks."""
