"""How well the configured checker model judges what messages mean.

`messages.jsonl` holds messages as a creator's team might send them, half of them fine, with what
the fan wrote before, the price if any, and the category of what is wrong ("" where nothing is).
They were written for this evaluation; rules alone see few of them, because no word gives them away.

    python -m evals.judge [--misses]

Without a key for a model nothing is judged, and the command says so.
"""
