"""The road of a doctor in a real browser: invitation, login, study, picture, referral, logout."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.appliance.browser import CHROMIUM, Browser
from tests.appliance.hospital import PASSWORD, ct, hospitals

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(CHROMIUM) is None, reason="needs Debian's package chromium"),
]

LOADED = "[].every.call(document.images, function (image) { return image.complete && image.naturalWidth })"


@pytest.mark.parametrize(("width", "scripts"), [(1280, True), (390, False)])
def test_a_doctor_finds_the_way(tmp_path: Path, width: int, scripts: bool) -> None:
    with hospitals(tmp_path, "erode", "salem") as (erode, salem), Browser(width, scripts=scripts) as browser:
        erode.serve().keep(ct(count=5))
        erode.render()

        browser.go(erode.url)
        assert browser.path == "/login"
        browser.click("a[href='/invitation']")
        browser.fill(login="dr.anbu", code=erode.codes["dr.anbu"], password=PASSWORD, again=PASSWORD)
        browser.click("main button")
        assert "Your password is set" in browser.text
        browser.fill(login="dr.anbu", password=PASSWORD)
        browser.click("main button")
        assert browser.path == "/"
        assert "Erode Town Hospital" in browser.text
        assert browser.run("getComputedStyle(document.querySelector('.bar')).backgroundColor") == "rgb(11, 60, 83)"
        assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), "nothing sticks out"

        browser.click("td a.name")
        browser._until(LOADED)
        assert browser.run("document.images.length") == 5
        browser.click(".strip a")
        browser.click("#next")
        assert "2 of 5" in browser.text
        browser._until(LOADED)

        browser.click(".back")
        browser.click("a.action")
        browser.run("document.querySelector('input[value=salem]').click()")
        browser.click("main button")
        assert browser.path == "/referrals"
        assert "0 of 5" in browser.text
        for _ in range(2):
            erode.step()
            salem.step()
        if scripts:
            browser._until("document.body.innerText.indexOf('5 of 5') >= 0")
        else:
            browser.go(erode.url + "/referrals")
            assert "5 of 5" in browser.text

        browser.click(".who button")
        assert browser.path == "/login"
        browser.go(erode.url + "/")
        assert browser.path == "/login"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_list_that_moves_by_itself_keeps_nobody_logged_in(tmp_path: Path, scripts: bool) -> None:
    with hospitals(tmp_path, "erode", "salem") as (erode, _), Browser(scripts=scripts) as browser:
        erode.accept_all().serve().keep(ct(name="Murugan^Selvi"))
        now = [datetime.now(UTC)]
        erode.people.sessions._clock = lambda: now[0]
        browser.go(erode.url)
        browser.fill(login="dr.anbu", password=PASSWORD)
        browser.click("main button")
        browser.click("td a.name")
        browser.click("a.action")
        browser.run("document.querySelector('input[value=salem]').click()")
        browser.click("main button")

        now[0] += timedelta(minutes=20)
        erode.step()
        for shown in ("all on the way", "Murugan, Selvi"):
            browser._until(f"document.readyState == 'complete' && document.body.innerText.indexOf('{shown}') >= 0")
        now[0] += timedelta(minutes=20)
        browser._until("document.readyState == 'complete' && location.pathname == '/login'")
        assert "Murugan" not in browser.text


def test_the_arrow_keys_turn_pages(tmp_path: Path) -> None:
    with hospitals(tmp_path, "erode") as (erode,), Browser() as browser:
        erode.accept_all().serve().keep(ct(count=3))
        erode.render()
        browser.go(erode.url)
        browser.fill(login="dr.anbu", password=PASSWORD)
        browser.click("main button")
        browser.click("td a.name")
        browser.click(".strip a")
        for key, shown in (("ArrowRight", "2 of 3"), ("End", "3 of 3"), ("ArrowLeft", "2 of 3"), ("Home", "1 of 3")):
            press(browser, f"key: '{key}'", shown)
        press(browser, "keyCode: 39", "2 of 3")  # as browsers before 2016 say it


def press(browser: Browser, key: str, shown: str) -> None:
    browser.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {{{key}, cancelable: true}}))")
    browser._until(f"document.readyState == 'complete' && document.body.innerText.indexOf('{shown}') >= 0")
