"""What is shown of a calibration: how scores and decisions agree, and how scores are spread."""

from typing import Any

import numpy as np

from vaultcrm.domain.confidence import WHOLE
from vaultcrm.pipeline.calibration.fitting import Bools, Ints
from vaultcrm.pipeline.calibration.watching import BINS, bins, calibration_error


def agreement(scores: Ints, unchanged: Bools) -> dict[str, Any]:
    """The bins of the reliability diagram and the calibration error of some decisions."""
    found = bins([int(one) // 10 for one in scores], [bool(one) for one in unchanged])
    return {
        "bins": [[one.count, round(one.expected, 4), one.unchanged] for one in found],
        "error": calibration_error(found) if len(scores) else None,
        "unseen": len(scores),
    }


def spread(scores: Ints) -> list[float]:
    """What share of the scores lies in each of ten bins of equal width."""
    places = np.minimum(BINS - 1, scores * BINS // WHOLE)
    total = max(1, len(scores))
    return [round(float(one) / total, 4) for one in np.bincount(places, minlength=BINS)]
