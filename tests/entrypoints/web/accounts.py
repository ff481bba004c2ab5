"""People with passwords, as they come to the console."""

from tests.entrypoints.web.browser import Browser, Page
from tests.support.app import RunningApp
from tests.support.world import SignedIn
from tests.support.world import sign_in as add_person
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_team

PASSWORD = "a long and quiet river"
WRONG = "E-mail or password is wrong."
HELD = "There were too many wrong tries for this e-mail."


async def with_password(
    app: RunningApp, role: Role, *, name: str, password: str = PASSWORD
) -> SignedIn:
    """A new person `name@example.com` who has a password."""
    person = await add_person(app, role, name=name)
    email = f"{name.lower()}@example.com"
    await manage_team.set_password(app.parts.pool, email, password, app.parts.now())
    return person


async def try_to_sign_in(browser: Browser, email: str, password: str = PASSWORD) -> Page:
    """Fill the sign-in page in and send it."""
    page = await browser.open("/sign-in")
    return await browser.press(page, "Sign in", email=email, password=password)
