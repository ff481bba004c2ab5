"""Experiments: A/B tests, listed, added, started and ended, and what each has come to."""
