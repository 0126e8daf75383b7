from __future__ import annotations

import pytest

from snowshed.producers.collectors.mysql.digest import statement_text
from snowshed.producers.instrument import fingerprint


@pytest.mark.parametrize(
    ("digest_text", "sent"),
    [
        (
            "SELECT `o` . `id` FROM `shop` . `orders` `o` WHERE `o` . `id` IN (...) AND `o` . `total` > - ? ",
            "SELECT o.id FROM shop.orders o WHERE o.id IN (%s, %s) AND o.total > %s",
        ),
        (
            "INSERT INTO `orders` ( ID , NAME , `total` ) VALUES (...) /* , ... */ ",
            "INSERT INTO orders (id, name, total) VALUES (%s, %s, %s)",
        ),
        (
            "INSERT INTO `orders` VALUES ( ?, ... , NOW ( ) , ?, ... )",
            "INSERT INTO orders VALUES (%s, %s, now(), %s, %s)",
        ),
        (
            "SELECT NAME FROM `orders` WHERE ( ID , NAME ) IN ( (...) /* , ... */ ) LIMIT ?, ...",
            "SELECT name FROM orders WHERE (id, name) IN ((%s, %s), (%s, %s)) LIMIT %s, %s",
        ),
        (
            "SELECT DISTINCTROW NAME FROM `orders` WHERE `at` > NOW - INTERVAL ? SQL_TSI_DAY AND `x` = (_charset) ?",
            "SELECT DISTINCT name FROM orders WHERE at > CURRENT_TIMESTAMP - INTERVAL 1 DAY AND x = %s",
        ),
        ("SELECT (unknown) , ?, ... ", "SELECT x'41', 1, 2"),
    ],
)
def test_a_digest_has_the_fingerprint_of_what_was_sent(digest_text: str, sent: str) -> None:
    assert fingerprint(statement_text(digest_text)) == fingerprint(sent)
