"""`python -m evals.experiments`: the table; exit status 1 if a figure misses its target."""

import sys

from evals.experiments.measure import measure
from evals.experiments.report import failures, table

if __name__ == "__main__":
    found = list(measure())
    print(table(found))
    sys.exit(1 if failures(found) else 0)
