"""How the page looks and whom it serves: small screens, two colour schemes, keyboards, readers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from visits import Visits

if TYPE_CHECKING:
    from playwright.async_api import Page

expect = pytest.importorskip("playwright.async_api", reason="playwright is not installed").expect

PHONE = {"width": 390, "height": 844}
SCREENS = [{"width": 320, "height": 568}, PHONE, {"width": 1280, "height": 900}]
UNBROKEN = "Hoopsnake" * 20

# Every element that shows words of its own: its colour, the colours behind it, nearest first, and
# how large its letters are.
WORDS = """() => [...document.body.querySelectorAll("*")].flatMap((element) => {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const isSeen = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  if (!own || !isSeen || element.closest(".unseen, noscript")) return [];
  const style = getComputedStyle(element);
  const behind = [];
  for (let node = element; node; node = node.parentElement) {
    behind.push(getComputedStyle(node).backgroundColor);
  }
  return [{
    words: element.textContent.trim().slice(0, 40),
    colour: style.color,
    behind,
    size: parseFloat(style.fontSize),
    weight: Number(style.fontWeight),
  }];
})"""

# The lines by which fields and buttons are told from what surrounds them.
EDGES = """() => [...document.querySelectorAll(".field input, .plain, .sizes span, .drop")]
  .filter((element) => element.checkVisibility())
  .map((element) => {
    const style = getComputedStyle(element);
    const sheet = getComputedStyle(element.closest("section")).backgroundColor;
    const drawn = parseFloat(style.borderTopWidth) ? style.borderTopColor : style.boxShadow;
    const edge = drawn.match(/rgba?\\([^)]*\\)/)[0];
    return { edge, sheet, name: element.className || element.id };
  })"""

# What sticks out to the right, but for what lies in a box that scrolls.
STICKING_OUT = """() => [...document.body.querySelectorAll("*")].filter((element) => {
  if (!element.checkVisibility() || element.closest(".unseen, svg")) return false;
  for (let node = element.parentElement; node; node = node.parentElement) {
    if (getComputedStyle(node).overflowX !== "visible") return false;
  }
  return element.getBoundingClientRect().right > innerWidth + 0.5;
}).map((element) => element.outerHTML.slice(0, 80))"""

# What has the focus, and how that is shown. A field that is drawn by what surrounds it shows it
# there.
FOCUS = """() => {
  const element = document.activeElement;
  const shown = [element, element.parentElement, element.nextElementSibling].some((node) => {
    const style = node && getComputedStyle(node);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
  const box = element.getBoundingClientRect();
  return {
    name: element.id || element.className || element.textContent.trim(),
    tag: element.tagName.toLowerCase(),
    shown,
    inView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  };
}"""

Colour = tuple[float, float, float, float]


def parsed(colour: str) -> Colour:
    """A computed colour's red, green, blue and alpha."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", colour)]
    assert colour.startswith("rgb"), colour
    assert len(numbers) in (3, 4), colour
    return numbers[0], numbers[1], numbers[2], numbers[3] if len(numbers) == 4 else 1.0


def over(front: Colour, back: Colour) -> Colour:
    """What one sees where `front` lies on the opaque `back`."""
    alpha = front[3]
    red, green, blue = (front[i] * alpha + back[i] * (1 - alpha) for i in range(3))
    return red, green, blue, 1.0


def luminance(colour: Colour) -> float:
    """How bright a colour looks, from 0 to 1, as WCAG 2 reckons it."""
    linear = [
        part / 12.92 if (part := value / 255) <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for value in colour[:3]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def contrast_of(text: dict[str, Any]) -> float:
    """How well a text stands out from what lies behind it."""
    ground: Colour = (255, 255, 255, 1)
    for layer in reversed(text["behind"]):
        ground = over(parsed(layer), ground)
    return contrast(over(parsed(text["colour"]), ground), ground)


async def fill(page: Page) -> None:
    """Use all the demos, so that everything which the page can show is there."""
    await page.get_by_role("button", name="Start both").click()
    await page.get_by_label("Your name").fill("Wordy")
    await page.get_by_role("button", name="Join").click()
    for text in ("short", UNBROKEN, "several words " * 20):
        await page.get_by_label("Your message").fill(text)
        await page.keyboard.press("Enter")
    await expect(page.locator(".mine .words")).to_have_count(3)
    await page.get_by_role("radio", name="10 MB").check()
    await page.get_by_role("button", name="Download").click()
    await expect(page.locator("#download-result")).to_contain_text("arrived in")
    await page.get_by_role("button", name="Send 25 MB of noise instead").click()
    await expect(page.locator("#upload-result")).to_contain_text("Arrived whole")
    for summary in await page.locator("summary").all():
        await summary.click()
    await expect(page.locator("details pre")).to_have_count(5)
    await expect(page.locator("#waits-result")).to_contain_text("times as fast")
    await expect(page.locator("#ticker-state")).to_have_text("Live.")


def test_contrast_is_reckoned_as_the_standard_does() -> None:
    white, black, grey = parsed("rgb(255, 255, 255)"), parsed("rgb(0, 0, 0)"), parsed("rgb(1 1 1)")
    assert contrast(white, black) == pytest.approx(21)
    assert contrast(white, parsed("rgb(118, 118, 118)")) == pytest.approx(4.54, abs=0.005)
    assert contrast(black, grey) < 1.01


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen["width"]))
async def test_nothing_sticks_out_to_the_side(visit: Visits, screen: dict[str, int]) -> None:
    page = await visit(viewport=screen)
    for state in ("fresh", "used"):
        if state == "used":
            await fill(page)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= screen["width"], state
        assert await page.evaluate(STICKING_OUT) == [], state


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_can_be_read(visit: Visits, scheme: str) -> None:
    page = await visit(color_scheme=scheme, viewport=PHONE)
    other = await visit()
    await other.get_by_label("Your name").fill("Other")
    await other.get_by_role("button", name="Join").click()
    await other.get_by_label("Your message").fill("said by somebody else")
    await other.keyboard.press("Enter")
    await fill(page)
    # What is shown when things fail, which here they do not.
    await page.evaluate("""() => {
      const banner = document.getElementById("banner");
      banner.hidden = false;
      banner.textContent = "said when the server is gone";
      document.getElementById("download-result").classList.add("failed");
      document.getElementById("chat-state").dataset.state = "lost";
      getComputedStyle(banner).color; // So that what this changes has begun to change...
      document.getAnimations().forEach((animation) => animation.finish()); // ...and is at its end.
    }""")
    texts = await page.evaluate(WORDS)
    shown = " ".join(text["words"] for text in texts)
    for expected in ("said by somebody", "said when", "Wordy came in", "arrived in", "Live."):
        assert expected in shown
    assert len(texts) > 60
    poor = []
    for text in texts:
        is_large = text["size"] >= 24 or (text["size"] >= 18.66 and text["weight"] >= 700)
        if contrast_of(text) < (3 if is_large else 4.5):
            poor.append((text["words"], round(contrast_of(text), 2)))
    assert poor == []
    paper = luminance(
        parsed(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    )
    assert (paper > 0.5) == (scheme == "light")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_control_can_be_seen(visit: Visits, scheme: str) -> None:
    page = await visit(color_scheme=scheme)
    edges = await page.evaluate(EDGES)
    assert len(edges) >= 7
    faint = [edge for edge in edges if contrast(parsed(edge["edge"]), parsed(edge["sheet"])) < 3]
    assert faint == []


async def test_fingers_can_hit_every_control(visit: Visits) -> None:
    page = await visit(viewport=PHONE, has_touch=True)
    hit = 0
    for control in await page.locator("button:visible, .field input:visible, .sizes label").all():
        box = await control.bounding_box()
        assert box is not None
        assert box["height"] >= 44, await control.inner_text()
        assert box["width"] >= 44, await control.inner_text()
        hit += 1
    assert hit >= 9


async def test_the_keyboard_reaches_every_control(visit: Visits) -> None:
    page = await visit()
    # It is there once the server has named its engine.
    await expect(page.locator("#suppliers-run")).to_be_visible()
    reached = []
    for _ in range(40):
        await page.keyboard.press("Tab")
        focus = await page.evaluate(FOCUS)
        if focus["tag"] == "body":
            break
        assert focus["shown"], f"nothing shows that {focus['name']} has the focus"
        assert focus["inView"], f"{focus['name']} has the focus out of view"
        reached.append(focus["name"])
    wanted = ["skip", "waits-run", "chat-log", "chat-name", "ticker-pause"]
    wanted += ["download-start", "download-save", "upload-file", "upload-sample", "suppliers-run"]
    assert [name for name in reached if name in wanted] == wanted
    assert sum(name.startswith("Read ") for name in reached) == 5


async def test_the_keyboard_works_every_demo(visit: Visits) -> None:
    page = await visit()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**#content")
    await page.locator("#waits-run").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Your name").focus()
    await page.keyboard.press("ControlOrMeta+A")
    await page.keyboard.type("Typist")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your message")).to_be_focused()
    await page.keyboard.type("by keys alone")
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .words")).to_have_text("by keys alone")
    await page.get_by_role("radio", name="100 MB").focus()
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("radio", name="10 MB")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(page.locator("#download-result")).to_contain_text("arrived in")
    await page.locator("#upload-sample").focus()
    await page.keyboard.press("Space")
    await expect(page.locator("#upload-result")).to_contain_text("Arrived whole")
    await page.locator("#ticker-pause").focus()
    await page.keyboard.press("Space")
    await expect(page.locator("#ticker-state")).to_contain_text("Paused")
    await expect(page.locator("#waits-result")).to_contain_text("times as fast")


async def test_readers_are_told_the_name_of_everything(visit: Visits) -> None:
    page = await visit()
    await expect(page.locator("#suppliers-run")).to_be_visible()
    session = await page.context.new_cdp_session(page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        if not node["ignored"]:
            named.setdefault(role, []).append(node.get("name", {}).get("value", "").strip())
    roles = {"button": 6, "textbox": 1, "radio": 3, "progressbar": 2, "link": 3, "log": 1}
    for role, least in roles.items():
        assert len(named[role]) >= least, (role, named)
        assert all(named[role]), (role, named[role])
    assert named["RootWebArea"] == ["hoopsnake: async Python for the web"]
    assert len(named["main"]) == 1
    headings = await page.locator("h1, h2").all_inner_texts()
    assert len(named["heading"]) == len(headings) == 8


async def test_readers_hear_results_and_not_each_hundredth(visit: Visits) -> None:
    page = await visit()
    for name in ("waits-result", "chat-state", "ticker-state", "download-result", "upload-result"):
        await expect(page.locator(f"#{name}")).to_have_attribute("role", "status")
    await expect(page.locator("#banner")).to_have_attribute("role", "alert")
    # These change with every frame, and `output` speaks up by itself unless it is told not to.
    for clock in await page.locator(".took output").all():
        await expect(clock).to_have_attribute("aria-live", "off")
