"""The page of the audit log says how far it is sealed, and hands it out with proofs."""

from datetime import timedelta
from uuid import UUID

import pytest

from tests.entrypoints.web.browser import sign_in
from tests.support.app import RunningApp
from tests.support.audit import log_rows
from tests.support.world import conversation, rows
from tests.support.world import sign_in as add_person
from vaultcrm.controls.audit.exporting import check_lines
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.workflows.seal_audit import seal_audit
from vaultcrm.workflows.verify_audit import verify_and_tell

pytestmark = pytest.mark.anyio


async def test_the_page_tells_what_is_sealed_and_verified_and_what_is_wrong(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    assert "nothing yet: a worker seals entries every minute" in (await ada.open("/audit")).text

    await seal_audit(app.parts, NIL, margin=timedelta(seconds=-60))
    page = await ada.open("/audit")
    assert "Sealed all entries" in page.text
    assert "Verified not yet" in page.text
    await log_rows(app, NIL, 1, began=app.parts.now() + timedelta(seconds=61))
    assert "all entries before" in (await ada.open("/audit")).text

    await verify_and_tell(app.parts, NIL)
    assert "no fault" in (await ada.open("/audit")).text
    await rows(app, "UPDATE audit_log SET subject_id = 'x' WHERE action = 'user.signed_in'")
    await verify_and_tell(app.parts, NIL)
    page = await ada.open("/audit")
    assert "1 fault: see the alert" in page.text
    assert "The audit log differs from its seals" in (await ada.open("/alerts")).text


async def test_the_log_is_downloaded_with_proofs_of_what_the_reader_may_see(
    app: RunningApp,
) -> None:
    admin = await add_person(app, Role.ADMIN)
    mia = UUID((await conversation(admin, creator="mia")).creator_id)
    theo = UUID((await conversation(admin, creator="theo")).creator_id)
    for owner in (mia, theo):
        await log_rows(app, owner, 5, began=app.parts.now() - timedelta(hours=1))
        await seal_audit(app.parts, owner)
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["mia"])

    page = await mary.open("/audit")
    [form] = [form for form in page.forms if form.action == "/audit/export"]
    assert form.buttons[0].label == "Download with proofs"
    file = await mary.open("/audit/export")
    assert file.headers["content-disposition"].startswith('attachment; filename="audit-')
    found = check_lines(file.html.splitlines())
    assert (found.fault_count, found.rows) == (0, 5)
    assert {head.creator_id for head in found.heads} == {mia}
    assert (await mary.open(f"/audit/export?creator={theo}")).status == 404
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'audit.exported'")
    assert entry["creator_id"] == mia


async def test_chatters_cannot_download_it(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    assert (await jo.open("/audit/export")).status == 403
