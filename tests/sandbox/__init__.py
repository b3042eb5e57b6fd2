"""The sandbox, asked as a vendor is asked."""
