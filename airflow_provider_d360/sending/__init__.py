"""From a message to its POST: identity, rate limit, files, checks."""
