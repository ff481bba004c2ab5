"""One name for a request: in its answer, and in what it has written to the audit log."""

import pytest

from tests.support.app import RunningApp
from tests.support.world import conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def test_an_audit_entry_names_the_request_that_wrote_it(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    path = f"/api/conversations/{talk.conversation_id}/mode"
    body = {"creatorId": talk.creator_id, "mode": "off"}

    given = await admin.post(path, body, **{"X-Request-Id": "from-the-crm-17"})
    made = await admin.post(path, {**body, "mode": "auto"})

    assert given.headers["X-Request-Id"] == "from-the-crm-17"
    entries = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'conversation.mode_changed' ORDER BY id"
    )
    assert [entry["details"]["request_id"] for entry in entries] == [
        "from-the-crm-17",
        made.headers["X-Request-Id"],
    ]
    shown = (await admin.found("/api/audit"))["items"]
    assert {one["details"].get("request_id") for one in shown} >= {"from-the-crm-17"}
