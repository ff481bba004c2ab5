"""Who is asking, and for whom they may act."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.controls.auth import (
    SIGN_IN_AUDIENCE,
    TOKEN_PREFIX,
    acting_chatter,
    credential_from_header,
    hash_token,
    new_token,
    read_sign_in_token,
    require_creator,
    require_role,
    sign_in_token,
)
from vaultcrm.domain.errors import Forbidden, NotFound, Unauthenticated
from vaultcrm.domain.people import Caller, Credential, Role

KEY = b"a key of thirty-two bytes or more"
USER, OTHER = UUID(int=1), UUID(int=2)
MINE, FOREIGN = UUID(int=11), UUID(int=12)
HOUR = timedelta(hours=1)


def caller(role: Role = Role.CHATTER, all_creators: bool = False) -> Caller:
    return Caller(USER, role, "Ann", all_creators, frozenset({MINE}))


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    said = {"sub": str(USER), "aud": SIGN_IN_AUDIENCE, "iat": now, "exp": now + HOUR}
    return said | {"jti": str(USER)} | changes


def signed(claims_of_it: dict[str, Any], key: bytes = KEY) -> str:
    return jwt.encode(claims_of_it, key, algorithm="HS256")


def test_a_token_is_known_again_by_its_hash_alone() -> None:
    token = new_token()
    assert credential_from_header(f"Bearer {token}") == Credential(token_hash=hash_token(token))
    assert len(hash_token(token)) == 32
    assert hash_token(token) != hash_token(token + "x")


def test_a_token_shows_what_it_is_and_no_two_are_alike() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith(TOKEN_PREFIX) for token in tokens)
    assert all(len(token) >= len(TOKEN_PREFIX) + 43 for token in tokens)


@pytest.mark.parametrize(
    "header", ["Bearer vcrm_x", "bearer vcrm_x", "BEARER vcrm_x", "Bearer   vcrm_x  "]
)
def test_the_scheme_is_read_in_any_case_and_blanks_do_not_count(header: str) -> None:
    assert credential_from_header(header).token_hash == hash_token("vcrm_x")


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "Bearer", "Bearer ", "Bearer \t ", "vcrm_x", "Basic dTpw", " Bearer x"],
)
def test_a_header_without_a_bearer_token_is_refused_with_the_form_it_must_have(
    header: str | None,
) -> None:
    with pytest.raises(Unauthenticated, match="Bearer vcrm_"):
        credential_from_header(header)


@given(st.text(st.characters(), max_size=30))
def test_no_header_does_anything_but_give_a_hash_or_be_refused(text: str) -> None:
    for header in (text, f"Bearer {text}"):
        try:
            found = credential_from_header(header)
        except Unauthenticated:
            continue
        assert found.user_id is None
        assert found.token_hash is not None


def test_a_sign_in_link_says_whose_it_is() -> None:
    now = datetime.now(UTC)
    token = sign_in_token(USER, KEY, now, HOUR)
    link = read_sign_in_token(token, KEY)
    assert link.user_id == USER
    assert abs(link.made_at - now) < timedelta(microseconds=2)


def test_a_sign_in_link_is_good_for_its_lifetime_only() -> None:
    two_hours_ago = datetime.now(UTC) - 2 * HOUR
    with pytest.raises(Unauthenticated, match="vaultcrm user link"):
        read_sign_in_token(sign_in_token(USER, KEY, two_hours_ago, HOUR), KEY)
    longer = sign_in_token(USER, KEY, two_hours_ago, 3 * HOUR)
    assert read_sign_in_token(longer, KEY).user_id == USER


def test_a_sign_in_link_that_another_key_signed_is_refused() -> None:
    token = sign_in_token(USER, KEY[::-1], datetime.now(UTC), HOUR)
    with pytest.raises(Unauthenticated):
        read_sign_in_token(token, KEY)


def test_a_sign_in_link_made_out_to_somebody_else_afterwards_is_refused() -> None:
    header, payload, signature = sign_in_token(USER, KEY, datetime.now(UTC), HOUR).split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = json.dumps(content | {"sub": str(OTHER)}).encode()
    payload = base64.urlsafe_b64encode(forged).decode().rstrip("=")
    with pytest.raises(Unauthenticated):
        read_sign_in_token(f"{header}.{payload}.{signature}", KEY)


def test_a_sign_in_link_that_nobody_signed_is_refused() -> None:
    unsigned = jwt.encode(claims(), "", algorithm="none")
    with pytest.raises(Unauthenticated):
        read_sign_in_token(unsigned, KEY)


@pytest.mark.parametrize(
    "change",
    [{"aud": "vaultcrm:something-else"}, {"sub": "nobody"}, {"sub": ""}, {"sub": 7}],
)
def test_what_we_signed_for_another_purpose_or_nobody_signs_nobody_in(
    change: dict[str, Any],
) -> None:
    assert read_sign_in_token(signed(claims()), KEY).user_id == USER
    with pytest.raises(Unauthenticated):
        read_sign_in_token(signed(claims(**change)), KEY)


@pytest.mark.parametrize("missing", ["aud", "sub", "exp", "iat", "jti"])
def test_a_sign_in_link_without_a_user_a_purpose_or_an_end_is_refused(missing: str) -> None:
    rest = {name: value for name, value in claims().items() if name != missing}
    with pytest.raises(Unauthenticated):
        read_sign_in_token(signed(rest), KEY)


@given(st.text(max_size=40) | st.text(".eyJhbGciOi_-", max_size=60))
def test_no_made_up_sign_in_link_does_anything_but_be_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        read_sign_in_token(text, KEY)


@pytest.mark.parametrize("role", Role)
def test_everybody_acts_for_themselves(role: Role) -> None:
    assert acting_chatter(caller(role), None) == USER
    assert acting_chatter(caller(role), USER) == USER


def test_a_program_acts_for_the_chatter_that_it_names() -> None:
    assert acting_chatter(caller(Role.SERVICE), OTHER) == OTHER


@pytest.mark.parametrize("role", [Role.CHATTER, Role.MANAGER, Role.ADMIN])
def test_no_person_acts_for_another(role: Role) -> None:
    with pytest.raises(Forbidden, match="chatterId"):
        acting_chatter(caller(role), OTHER)


def test_a_caller_sees_the_creators_that_are_assigned_to_them() -> None:
    require_creator(caller(), MINE)


@pytest.mark.parametrize("role", Role)
def test_a_foreign_creator_is_not_found_whatever_the_role(role: Role) -> None:
    with pytest.raises(NotFound) as foreign:
        require_creator(caller(role), FOREIGN)
    with pytest.raises(NotFound) as missing:
        require_creator(caller(role), UUID(int=99))
    assert str(foreign.value) == str(missing.value)


def test_a_caller_for_all_creators_sees_every_creator() -> None:
    require_creator(caller(all_creators=True), FOREIGN)


@pytest.mark.parametrize("role", Role)
def test_only_the_roles_that_are_asked_for_are_let_in(role: Role) -> None:
    others = [other for other in Role if other is not role]
    require_role(caller(role), role)
    with pytest.raises(Forbidden) as refused:
        require_role(caller(role), *others)
    assert str(refused.value).endswith(f"yours is {role.value}.")
    assert all(other.value in str(refused.value) for other in others)
