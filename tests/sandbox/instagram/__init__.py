"""Instagram, asked as a business asks it."""
