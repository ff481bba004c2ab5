"""The stages of the rollout, and how well each does."""
