"""The Telegram Bot API, simulated from its contract alone."""
