"""`vaultcrm calibrate`: fit confidence to what people have decided, and say what it guarantees."""

from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stderr, stdout

if TYPE_CHECKING:
    from vaultcrm.workflows.calibrate import Told

WHY = {
    Missing.NOT_CALIBRATED: "not calibrated yet",
    Missing.TOO_FEW: "too few decisions yet",
    Missing.NOT_SAFE: "no threshold keeps the limit with enough certainty",
    Missing.CONTRADICTED: "the decisions here contradict what holds for all together",
}


def calibrate(
    creator: Annotated[
        str | None,
        typer.Option("--creator", metavar="HANDLE", help="only take up the model for this creator"),
    ] = None,
) -> None:
    """Fit confidence to people's decisions, anew even where little has changed.

    A worker does the same every night. With --creator no model is fitted: the newest one is put in
    force for that creator.
    """
    from vaultcrm.bootstrap import open_parts
    from vaultcrm.db.queries import creators
    from vaultcrm.workflows.calibrate import calibrate_all, calibrate_creator

    settings = settings_or_exit()

    async def work() -> "tuple[Told, ...]":
        async with open_parts(settings) as parts:
            if creator is not None:
                async with parts.pool.connection() as connection:
                    found = await (await creators.creator_by_handle(connection, creator)).answer()
                if found is None:
                    raise NotFound("creator")
                one = await calibrate_creator(parts, found.id)
                return () if one is None else (one,)
            with stderr.status("Reading decisions") as status:
                return await calibrate_all(
                    parts,
                    now_too=True,
                    watch=lambda told: status.update(f"Done: {told.creator or 'all together'}"),
                )

    told = run(work)
    if not told:
        stdout.print(
            "Nothing was calibrated: there are too few decisions yet. Confidence stays the "
            "formula's, and nothing leaves by itself.",
            soft_wrap=True,
        )
        return
    for one in told:
        _say(one)


def _say(told: "Told") -> None:
    name = told.creator or "all together"
    state = "" if told.renewed else ", as before"
    error = "" if told.error is None else f", calibration error {told.error:.3f}"
    stdout.print(f"{name}: {told.decisions:,} decisions{error}{state}.", markup=False)
    for stage, found in told.by_stage.items():
        stdout.print(f"  stage {int(stage)}: {said(found, stage)}", markup=False, soft_wrap=True)


def said(found: Guarantee | Missing, stage: RolloutStage) -> str:
    """A guarantee, or why there is none, in a sentence."""
    if isinstance(found, Missing):
        return f"nothing leaves by itself: {WHY.get(found, found.value)}"
    whose = "" if found.pool is Pool.OWN else ", for several creators together"
    fans = "low-tier fans" if stage is RolloutStage.AUTO_SEND_LOW_VALUE else "all but high tiers"
    return (
        f"from confidence {found.lowest * 100 / WHOLE:.1f} on, to {fans}: at most "
        f"{found.limit:.1%} wrong with {found.certainty:.0%} certainty{whose} "
        f"({found.wrong} of {found.checked:,} that were checked)"
    )
