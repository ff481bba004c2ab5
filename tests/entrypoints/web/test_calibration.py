"""The page Confidence: what it says to whom."""

import pytest

from tests.entrypoints.web.browser import sign_in
from tests.support.app import RunningApp
from tests.support.guarantee import give_guarantee
from tests.support.world import conversation, jobs, rows, set_flag
from vaultcrm.domain.confidence import Guarantee, Pool
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio
TOGETHER = Guarantee(912, 965, 0.02, 0.95, Pool.TOGETHER, 1_100, 640, 4)


async def test_before_anything_is_calibrated_the_page_says_what_is_missing(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    assert "There is no creator yet" in (await ada.open("/calibration")).text
    await conversation(ada.api)
    await rows(app, "DELETE FROM confidence_models")
    page = await ada.open("/calibration")
    assert "Nothing leaves by itself. Confidence is not calibrated yet." in page.text
    assert page.link("Confidence") == "/calibration"


async def test_a_guarantee_is_told_in_words_and_its_data_in_a_diagram(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    await give_guarantee(
        app, talk.creator_id, TOGETHER, bins=[[0, 0, 0]] * 9 + [[640, 0.95, 612]], unseen=640,
        error=0.006,
    )  # fmt: skip
    ready = await ada.open("/calibration")
    assert "At stage 3, messages from confidence 91.2 on could leave by themselves" in ready.text
    await set_flag(ada.api, "AI_ROLLOUT_STAGE", 3)

    page = await ada.open("/calibration")

    assert "at most 2 % of them would have been changed by a person" in page.text
    assert "with 95 % confidence" in page.text
    assert "holds for their automatic messages together, not for each of them" in page.text
    assert "of 640 that were held back from the fit" in page.text
    assert "confidence 95: 612 of 640 sent unchanged" in page.text
    assert sum(tag == "circle" for tag, _ in page.elements) == 1
    # The floor that a manager sets stands above what the guarantee would allow.
    await set_flag(ada.api, "AI_AUTO_SEND_THRESHOLD", 95)
    assert "Messages from confidence 95.0 on" in (await ada.open("/calibration")).text
    await set_flag(ada.api, "AI_AUTO_SEND_GUARANTEE", value=False)
    assert "No guarantee is asked for" in (await ada.open("/calibration")).text


async def test_an_admin_has_everything_calibrated_now_and_once(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    for _ in range(2):
        page = await ada.press(await ada.open("/calibration"), "Calibrate now")
        assert "A worker calibrates now" in page.text
    assert len(await jobs(app, "calibrate")) == 1
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    assert "Calibrate now" not in (await mary.open("/calibration")).labels


async def test_a_manager_of_one_creator_sees_no_other(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="mia")
    other = await conversation(ada.api, creator="zoe", fan="ben")
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["mia"])
    page = await mary.open("/calibration")
    assert "Mia" in page.text
    assert "Zoe" not in page.text
    assert (await mary.open(f"/calibration?creator={other.creator_id}")).status == 404
