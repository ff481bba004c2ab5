"""What is held and for how long, and what fans may ask for: export and erasure."""
