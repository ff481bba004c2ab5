"""A/B tests in worlds whose truth is known: how often they say what is not so, what they find."""
