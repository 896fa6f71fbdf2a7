"""Tomorrow's list in a real browser: on a phone, without script, approved with a thumb."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser
from tests.browser.careful import console_on, enter, tomorrow_for_brill
from tests.conftest import Database

pytestmark = pytest.mark.browser


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


def test_a_lead_reads_tomorrows_list_on_a_phone_and_approves_a_part_without_scripts(database: Database, browser: Browser) -> None:
    cookie = tomorrow_for_brill(database.worker)
    with console_on(database.api_url) as url:
        browser.without_scripts()
        browser.size(390, 844, phone=True)
        enter(browser, url, cookie)
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), "the list is wider than the phone"
        small = "[...document.querySelectorAll('.decision button')].filter(e => e.offsetHeight < 44).length"
        assert browser.run(small) == 0, "too small for a thumb"
        assert "F-20389" in browser.text() and "6 to decide" in browser.text()
        browser.click(".going details summary")
        browser.wait_for(text="Hola, Ana María:")
        browser.run("document.querySelector('.going input').click()")
        browser.follow("Approve ticked")
        browser.wait_for(text="1 approved: they go on their day.")
        assert "5 to decide" in browser.text()
        assert [said for said in browser.complaints if url in said] == []
