"""A real Chromium for the tests of the desk, and what axe-core says of a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")

PATIENCE = 20_000
"""Milliseconds for what a page is to show: a busy machine takes its time."""
expect.set_options(timeout=PATIENCE)


def chromium() -> str:
    """The program: FIRSTLINE_TEST_CHROMIUM, or what is installed. Fails in a sentence when there is none."""
    named = os.environ.get("FIRSTLINE_TEST_CHROMIUM")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(
            "The tests of the desk need Chromium (Debian: apt-get install chromium), or FIRSTLINE_TEST_CHROMIUM with its path."
        )
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser for the time of a block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        try:
            yield browser
        finally:
            await browser.close()


async def serious(page: Page, within: str | None = None, *, only: Sequence[str] = ()) -> list[tuple[str, list[str]]]:
    """What axe-core finds on a page that keeps people from using it: the rule, and the elements.

    within: a selector, for a part of the page; only: the rules to be looked for, all when there are none
    """
    await page.emulate_media(reduced_motion="reduce")  # what is just fading in has no contrast yet
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(Axe().axe_script)
    options = {"resultTypes": ["violations"], "preload": False, **({"runOnly": list(only)} if only else {})}
    found = (await page.evaluate("([part, how]) => axe.run(part || document, how)", [within, options]))["violations"]
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
