"""From people's decisions to a model of P(sent unchanged), a guarantee, and checks of both.

`fitting`, `guaranteeing`, `pooling` and `figures` use numpy, scipy, scikit-learn and mapie, and are
imported by worker jobs, commands and evaluations only. `watching` is plain Python.
"""
