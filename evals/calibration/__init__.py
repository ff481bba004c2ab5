"""Confidence and the guarantee of automatic sending, in simulated worlds with known truth."""
