"""What is done later: job names and schedules, each a function that calls one use case."""
