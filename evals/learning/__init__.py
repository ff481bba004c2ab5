"""Weekly learning in worlds whose truth is known.

    python -m evals.learning

The standard world: 20 creators with 250 messages a week each, fans with tastes of their own, a
voice whose traits are knobs, prices and phrases that matter, chatters who take one phrase out. Each
week the product's own steps count, decide and propose, and what they propose is applied. The other
world is the same but for its truth: nothing that a message does changes anything.
"""
