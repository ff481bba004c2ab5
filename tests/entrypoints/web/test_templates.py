"""The templates' page: found, written, previewed for a real fan, never overwritten unseen."""

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import conversation
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def test_probe(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    made = await mary.api.made("/api/templates", {"creatorId": talk.creator_id, "name": "hello", "category": "welcome", "templateText": "Hey {fan_name}!"})
    page = await mary.open(f"/templates/{made['id']}")
    assert page.status == 200, page.text
    print(page.text)
