from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snowshed.producers.collectors.postgres.dsn import HIDDEN, redact

_NAMES = st.text("abcdefghij", min_size=1, max_size=8)
# Capitals and signs, none of which any other part uses, so that every leaked piece of two characters is recognised.
_SECRETS = st.text("QRSTUVWXYZ@:/?#&=%' \\,;[]!$", min_size=2, max_size=12)


def _leaks(shown: str, secret: str) -> bool:
    pieces = [secret[i : i + 2] for i in range(len(secret) - 1)]
    return any(piece in shown and piece.isupper() and piece.isalpha() for piece in pieces)


@given(_NAMES, _SECRETS, _NAMES, st.integers(1, 65535), _NAMES)
def test_an_address_shows_where_it_leads_and_not_its_password(
    user: str, secret: str, host: str, port: int, database: str
) -> None:
    expected = f"{user}@{host}:{port}/{database}"
    assert redact(f"postgresql://{user}:{quote(secret, safe='')}@{host}:{port}/{database}") == expected
    quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
    assert redact(f"host={host} port={port} user={user} password='{quoted}' dbname={database}") == expected


@given(_NAMES, _SECRETS, _NAMES)
@example("u", "XY/ZZ", "h")
@example("u", "XY?ZZ", "h")
@example("u", "XY#ZZ", "h")
@example("u", "XY@ZZ", "h")
@example("u", "12/ZZ", "h")
@example("u", "X[Y]Z", "h")
def test_a_password_that_was_not_escaped_is_not_shown_in_pieces(user: str, secret: str, host: str) -> None:
    assert not _leaks(redact(f"postgresql://{user}:{secret}@{host}/orders"), secret)
    assert not _leaks(redact(f"host={host} user={user} password={secret} dbname=orders"), secret)
    assert not _leaks(redact(f"host={host} password='{secret} dbname=orders"), secret)


@given(_SECRETS)
def test_a_password_among_the_options_is_not_shown(secret: str) -> None:
    shown = redact(f"postgresql://h/orders?user=u&password={quote(secret, safe='')}&sslpassword={quote(secret)}")
    assert shown == "u@h/orders"


@given(st.text())
def test_any_text_at_all_can_be_asked_for(text: str) -> None:
    assert isinstance(redact(text), str)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://db1:5432,db2/shop?target_session_attrs=read-write", "db1:5432,db2/shop"),
        ("postgres://[::1]:5432/shop", "[::1]:5432/shop"),
        ("host=/var/run/postgresql dbname=shop", "/shop"),
        ("postgresql://u:4711?ZZ@h/shop", HIDDEN),
        ("postgresql://u:4711#ZZ@h/shop", HIDDEN),
        ("", HIDDEN),
        ("hunter2", HIDDEN),
        ("postgresql://u:p@[::1/shop", HIDDEN),
    ],
)
def test_unusual_addresses(dsn: str, shown: str) -> None:
    assert redact(dsn) == shown
