"""The common message format: one shape for what users, models and tools say to each other."""
