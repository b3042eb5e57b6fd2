"""The MAX messenger channel."""
