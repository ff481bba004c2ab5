"""A/B tests: who gets what, what the figures say, and when to stop. No step here reads or writes.

`assignment` shares fans out, `sequences` has the intervals that may be looked at at any time,
`comparing` turns sums into differences, `ratio` checks the sharing out, `thompson` shares out anew,
`policies` says what would have been, `verdict` says it in words, `results` puts all of it together
from what was `counted`, and `stopping` says which variants have to go.
"""
