"""What every service shares; knows no vendor and no service."""
