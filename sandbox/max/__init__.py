"""The MAX messenger bot API."""
