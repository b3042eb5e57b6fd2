"""Avito Messenger, simulated from vendors/avito.md."""
