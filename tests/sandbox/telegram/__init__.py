"""The simulated Telegram, through its API and the control API."""
