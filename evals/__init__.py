"""Evaluations on sets of our own: `python -m evals`, or `make evals`."""
