"""The messengers, all of them on one system."""
