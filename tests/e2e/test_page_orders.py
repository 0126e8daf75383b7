"""The page's form for operators' orders, in a real browser."""

from __future__ import annotations

import time

import pytest
from aiohttp import web
from playwright.async_api import Browser, expect
from tests.e2e.test_page import browser
from tests.unit.streams.web.fleet import FedWorld, fleet, port_of

from snowshed.schemas.records import OperatorAction, OperatorOrder
from snowshed.streams.web import mount

pytestmark = pytest.mark.e2e
__all__ = ["browser"]


async def test_the_form_orders_and_says_what_is_wrong(browser: Browser) -> None:
    taken, complaints = list[OperatorOrder](), list[str]()
    app, world = web.Application(), FedWorld()
    world.tell(*fleet(time.time()))
    mount(app, world, ready=lambda: True, orders=taken.append)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        page = await browser.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{port_of(runner)}/")
        form = page.locator("#order")
        for name, value in (("scope", "order"), ("value", "2"), ("author", "ann"), ("reason", "a launch")):
            await form.locator(f"[name={name}]").fill(value)
        await form.get_by_role("button").click()
        await expect(page.locator("#order-said")).to_contain_text("did you mean 'orders'?")
        await form.locator("[name=scope]").fill("orders")
        await form.get_by_role("button").click()
        await expect(page.locator("#order-said")).to_contain_text("Ordered")
        await page.close()
    finally:
        await runner.cleanup()
    assert [(one.action, one.degrade_level, one.author) for one in taken] == [(OperatorAction.PIN, 2, "ann")]
    assert complaints == []
