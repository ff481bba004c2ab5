"""What worked: traits and phrases of messages, sums of their outcomes, and what follows from them.

    texts ──> traits, phrases ──> tallying (sums, a week) ──> deciding (e-values) ──> proposing

`tallying` and `batches`, which fills it, need numpy and are for the worker; the rest is plain
Python. docs/learning.md has the reasoning and the sources.
"""
