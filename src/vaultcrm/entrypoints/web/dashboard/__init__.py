"""The day, in numbers and charts."""
