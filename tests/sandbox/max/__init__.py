"""The simulated MAX."""
