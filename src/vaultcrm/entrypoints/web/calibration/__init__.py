"""What confidence means, and what leaves by itself because of it."""
