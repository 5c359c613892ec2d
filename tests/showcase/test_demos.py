"""The demos in headless Chromium: each does on the page what it says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from relay import Relay
from showcase_server import Showcase
from visits import Visits

if TYPE_CHECKING:
    from playwright.async_api import Page

expect = pytest.importorskip("playwright.async_api", reason="playwright is not installed").expect

SLOW_LINE = 8_000_000  # Bytes per second: slow enough to see a transfer on its way.
LIVE, LOST = "You are in the room as", "Cut off from the room"

# Clicks the button, and measures by the page's own clock how long each lane takes.
MEASURE = """async () => {
  const began = performance.now();
  const lanes = [...document.querySelectorAll(".took")];
  const ends = lanes.map((took) => new Promise((resolve) => {
    new MutationObserver(() => {
      if (took.dataset.state === "done") resolve((performance.now() - began) / 1000);
    }).observe(took, { attributes: true });
  }));
  document.getElementById("waits-run").click();
  return Promise.all(ends);
}"""

# Notes each value that a progress bar takes on.
WATCH_PROGRESS = """(name) => {
  const bar = document.getElementById(name);
  window.progressSeen = [];
  const note = () => window.progressSeen.push(bar.value);
  new MutationObserver(note).observe(bar, { attributes: true });
}"""


async def number(page: Page) -> int:
    """The number of the event that the ticker shows."""
    text = await page.locator("#ticker-number").inner_text()
    return int(re.sub(r"\D", "", text) or "0")


async def number_of_at_least(page: Page, least: int) -> None:
    """Wait until the ticker shows `least` or more: a busy machine may miss to see one of them."""
    await page.wait_for_function(
        """(least) => {
          const shown = document.getElementById("ticker-number").innerText;
          return Number(shown.replace(/\\D/g, "")) >= least;
        }""",
        arg=least,
    )


async def join(page: Page, name: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.get_by_role("button", name="Join").click()
    await expect(page.locator("#chat-state")).to_contain_text(f"{LIVE} {name}")


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()


async def test_three_waits_take_one_wait(visit: Visits) -> None:
    page = await visit()
    apart, together = await page.evaluate(MEASURE)
    assert apart >= 2.95
    assert 0.95 <= together < apart - 1
    result = page.locator("#waits-result")
    await expect(result).to_contain_text("times as fast")
    shown = [float(seconds) for seconds in re.findall(r"([\d.]+)\s+s\b", await result.inner_text())]
    assert shown == pytest.approx([apart, together], abs=1)
    for row in await page.locator(".lane li").all():
        assert "answered at" in (await row.locator(".unseen").text_content() or "")
    await expect(page.get_by_role("button", name="Run them again")).to_be_enabled()


async def test_the_hoop_rolls_unless_that_disturbs(visit: Visits) -> None:
    rolled = {}
    for motion in ("no-preference", "reduce"):
        page = await visit(reduced_motion=motion)
        await page.evaluate(MEASURE)
        rolled[motion] = await page.locator(".roller").get_attribute("style")
    assert "rotate" in (rolled["no-preference"] or "")
    assert not rolled["reduce"]


async def test_two_pages_talk(visit: Visits) -> None:
    one, two = await visit(), await visit()
    await join(one, "Amber Boa")
    await join(two, "Moss Viper")
    await expect(one.locator(".present li")).to_have_text(["Amber Boa", "Moss Viper"])
    await expect(one.get_by_label("Your message")).to_be_focused()

    await say(one, "is <b>this</b> bold?")
    heard = two.locator(".said", has_text="is <b>this</b> bold?")
    await expect(heard.locator(".who")).to_have_text("Amber Boa")
    assert await two.locator("#chat-log b").count() == 0
    await say(two, "no")
    await expect(one.locator(".said .words")).to_have_text(["is <b>this</b> bold?", "no"])
    await expect(one.locator(".mine .words")).to_have_text("is <b>this</b> bold?")

    # Whoever takes a free name does not take the words of the one who had it.
    await one.get_by_role("button", name="Leave").click()
    await join(one, "Amber Boa")
    await expect(one.locator(".mine .words")).to_have_text("is <b>this</b> bold?")
    three = await visit()
    await two.get_by_role("button", name="Leave").click()
    await join(three, "Moss Viper")
    await expect(three.locator(".said")).to_have_count(2)
    await expect(three.locator(".mine")).to_have_count(0)
    await three.get_by_role("button", name="Leave").click()

    await expect(one.locator("#chat-log")).to_contain_text("Moss Viper left")
    await expect(one.locator(".present li")).to_have_text(["Amber Boa"])
    await expect(two.get_by_label("Your name")).to_be_focused()


async def test_the_room_comes_back_with_what_was_missed(showcase: Showcase, visit: Visits) -> None:
    async with Relay(showcase.port) as relay:
        stays = await visit()
        falls = await visit(relay.url, breaks_connections=True)
        await join(stays, "Stays")
        await join(falls, "Falls")
        relay.cut()
        await expect(falls.locator("#chat-state")).to_contain_text(LOST)
        await expect(falls.get_by_role("button", name="Send", exact=True)).to_be_disabled()
        await say(stays, "you are missing this")
        await expect(stays.locator(".mine .words")).to_have_text("you are missing this")
        relay.mend()
        await expect(falls.locator("#chat-state")).to_contain_text(f"{LIVE} Falls")
        await expect(falls.locator(".said .words").last).to_have_text("you are missing this")
        assert await falls.locator(".words", has_text="missing").count() == 1
        await say(falls, "I am back")
        await expect(stays.locator("#chat-log")).to_contain_text("I am back")
        await falls.close()


async def test_the_ticker_ticks_and_pauses(visit: Visits) -> None:
    page = await visit()
    state = page.locator("#ticker-state")
    await expect(state).to_have_text("Live.")
    first = await number(page)
    await number_of_at_least(page, first + 3)
    await expect(page.locator("#ticker-late")).to_have_text(re.compile(r"^\d+\.\d\sms$"))
    await expect(page.locator(".trail")).to_have_attribute("d", re.compile("^M.*C"))
    await expect(page.locator("#engine")).to_contain_text("CPython")

    await page.get_by_role("button", name="Pause").click()
    await expect(state).to_contain_text("Paused")
    paused = await number(page)
    other = await visit()  # Somebody else still listens, and so the server goes on counting.
    await number_of_at_least(other, paused + 3)
    assert await number(page) == paused
    await page.get_by_role("button", name="Resume").click()
    await expect(state).to_have_text("Live.")
    assert await number(page) > paused


async def test_the_ticker_comes_back(showcase: Showcase, visit: Visits) -> None:
    async with Relay(showcase.port) as relay:
        page = await visit(relay.url, breaks_connections=True)
        state, banner = page.locator("#ticker-state"), page.locator("#banner")
        await expect(state).to_have_text("Live.")
        await expect(banner).to_be_hidden()
        before = await number(page)
        relay.cut()
        await expect(state).to_contain_text("Cut off")
        await expect(banner).to_contain_text("not answering")
        relay.mend()
        await expect(state).to_have_text("Live.")
        await expect(banner).to_be_hidden()
        assert await number(page) > before
        await page.close()


async def test_a_download_arrives_whole(visit: Visits) -> None:
    page = await visit()
    await page.get_by_role("radio", name="10 MB").check()
    await page.get_by_role("button", name="Download").click()
    result = page.locator("#download-result")
    await expect(result).to_contain_text(re.compile(r"^All 10\s000\s000 bytes arrived in"))
    await expect(page.locator("#download-meter")).to_contain_text(re.compile(r"10\.0\sMB of 10\.0"))
    assert await page.locator("#download-progress").evaluate("(bar) => bar.value") == 1
    await expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


async def test_a_download_saved_as_a_file_is_whole(visit: Visits, tmp_path: Path) -> None:
    page = await visit()
    await page.get_by_role("radio", name="10 MB").check()
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Save it as a file").click()
    download = await started.value
    assert download.suggested_filename == "hoop-10000000.bin"
    await download.save_as(tmp_path / "saved")
    saved = (tmp_path / "saved").read_bytes()
    assert saved == (bytes(range(256)) * 39063)[:10_000_000]


async def test_a_download_can_be_cancelled(showcase: Showcase, visit: Visits) -> None:
    async with Relay(showcase.port, SLOW_LINE) as relay:
        page = await visit(relay.url, breaks_connections=True)
        await page.evaluate(WATCH_PROGRESS, "download-progress")
        await page.get_by_role("button", name="Download").click()
        await expect(page.locator("#download-meter")).to_contain_text(re.compile(r"^\d+\.\d\sMB"))
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#download-result")).to_contain_text("Cancelled after")
        await expect(page.get_by_role("button", name="Download")).to_be_enabled()
        seen = await page.evaluate("window.progressSeen")
        assert 0 < max(seen) < 1
        await page.close()


async def test_an_upload_shows_its_progress(
    showcase: Showcase, visit: Visits, tmp_path: Path
) -> None:
    file = tmp_path / "some.bin"
    file.write_bytes(hashlib.shake_128(b"upload").digest(12_345_678))
    async with Relay(showcase.port, SLOW_LINE) as relay:
        page = await visit(relay.url, breaks_connections=True)
        await page.evaluate(WATCH_PROGRESS, "upload-progress")
        await page.locator("#upload-file").set_input_files(file)
        await expect(page.locator("#upload-result")).to_contain_text(
            "your browser comes to the same"
        )
        seen = await page.evaluate("window.progressSeen")
        assert seen == sorted(seen)
        assert len({value for value in seen if 0 < value < 1}) >= 3, seen
        assert seen[-1] == 1
        await expect(page.locator("#upload-meter")).to_contain_text(
            re.compile(r"12\.3\sMB of 12\.3\sMB")
        )
        await expect(page.locator("#upload-bytes")).to_have_text(re.compile(r"^12\s345\s678$"))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        await expect(page.locator("#upload-sum")).to_have_text(digest)
        await page.close()


async def test_an_upload_can_be_cancelled_and_noise_sent_instead(
    showcase: Showcase, visit: Visits
) -> None:
    async with Relay(showcase.port, SLOW_LINE) as relay:
        page = await visit(relay.url, breaks_connections=True)
        sample = page.get_by_role("button", name="Send 25 MB of noise instead")
        await sample.click()
        await expect(page.locator("#upload-meter")).to_contain_text(
            re.compile(r"^\d\.\d\sMB of 25")
        )
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#upload-result")).to_have_text("Cancelled.")
        await expect(sample).to_be_enabled()
        await page.close()
    page = await visit()
    await page.get_by_role("button", name="Send 25 MB of noise instead").click()
    await expect(page.locator("#upload-result")).to_contain_text("Arrived whole")
    await expect(page.locator("#upload-bytes")).to_have_text(re.compile(r"^25\s000\s000$"))


async def test_an_upload_that_breaks_off_is_reported(showcase: Showcase, visit: Visits) -> None:
    async with Relay(showcase.port, SLOW_LINE) as relay:
        page = await visit(relay.url, breaks_connections=True)
        await page.get_by_role("button", name="Send 25 MB of noise instead").click()
        await expect(page.locator("#upload-meter")).to_contain_text(
            re.compile(r"^\d\.\d\sMB of 25")
        )
        relay.cut()
        await expect(page.locator("#upload-result")).to_contain_text("The upload broke off.")
        await page.close()


async def test_suppliers_are_asked_at_once_and_again_where_that_helps(visit: Visits) -> None:
    page = await visit()
    await page.get_by_role("button", name="Ask all four").click()
    await expect(page.locator("#suppliers-result")).to_contain_text("All four at once, in 1.")
    rows = {
        name: page.locator(f"[data-supplier={name}]") for name in ("north", "east", "south", "west")
    }
    for name in ("north", "east", "south"):
        await expect(rows[name].locator(".outcome")).to_contain_text(re.compile(r"\d\.\d\d after"))
    await expect(rows["north"].locator(".story")).to_contain_text("200")
    await expect(rows["east"].locator(".story")).to_contain_text(re.compile("503, .*200"))
    asked_beside = "given up, asked once more beside that: 200"
    await expect(rows["south"].locator(".story")).to_have_text(asked_beside)
    await expect(rows["west"].locator(".outcome")).to_have_text("no answer within 1.5 s")
    await expect(page.get_by_role("button", name="Ask them again")).to_be_enabled()


async def test_the_source_of_each_demo_can_be_read(visit: Visits) -> None:
    page = await visit()
    for name in ("waits", "chat", "ticker", "transfer", "suppliers"):
        await page.locator(f"[data-demo={name}] summary").click()
        code = page.locator(f"[data-demo={name}] pre")
        await expect(code).to_contain_text("router = Router()")
