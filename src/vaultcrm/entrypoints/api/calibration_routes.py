"""`/api/ai/calibration`: what confidence means, and what is guaranteed of automatic messages."""

from fastapi import APIRouter

from vaultcrm.entrypoints.api.context import CallerDep, PartsDep
from vaultcrm.entrypoints.api.schemas.calibration import CalibrationPage
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.read_calibration import read_calibration

router = APIRouter(prefix="/api/ai/calibration", tags=["Calibration"])


@router.get("")
async def get_calibration(
    parts: PartsDep, caller: CallerDep, creator_id: OneCreator = None
) -> CalibrationPage:
    """Reliability, guarantee and drift of each creator. For managers."""
    return CalibrationPage.of(await read_calibration(parts, caller, creator_id))
