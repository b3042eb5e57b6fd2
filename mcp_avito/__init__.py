"""The Avito Messenger channel."""
