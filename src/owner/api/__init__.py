"""REST and webhooks: typed input, one use case, typed output."""
