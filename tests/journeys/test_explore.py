"""What a person sees and does in the tab Explore."""

import re

import pytest
from playwright.sync_api import Page, expect

from .browser import DARK

OWN = [
    f"{opening} {animal}{ending}"
    for animal in ("cat", "dog", "horse", "parrot")
    for opening, ending in (
        ("I am overjoyed, today I met a lovely", "!"),
        ("So happy: my daughter drew a", " for me."),
        ("We were heartbroken when we lost our old", "."),
        ("I cried all night, I miss my", " so much."),
        ("I am furious at the neighbour's", " again."),
        ("It makes me so angry that somebody hurt a", "."),
    )
]
SECONDS = 1000
BACKGROUND = "getComputedStyle(document.querySelector('gradio-app')).backgroundColor"


@pytest.fixture
def app(page: Page) -> Page:
    """The page as it opens, wide and light."""
    page.goto("/")
    opened(page)
    return page


def opened(page: Page) -> None:
    expect(page.get_by_test_id("map-B").locator(".scatterlayer .point").first).to_be_attached(
        timeout=60 * SECONDS
    )
    expect(page.get_by_test_id("heatmap-B").locator(".heatmaplayer image")).to_be_attached()


def explore(page: Page, texts: str | None = None, **instructions: str) -> None:
    """Fills what is given and presses Explore, then waits for the notice to tell the end."""
    if texts is not None:
        paste(page, texts)
    for letter, instruction in instructions.items():
        page.locator(f"#instruction-{letter} textarea").fill(instruction)
    page.locator("#explore").click()


def paste(page: Page, texts: str) -> None:
    """Puts texts into the box at once, as a paste does; Playwright's fill is slow on many lines."""
    page.locator("#texts-box textarea").evaluate(
        """(box, texts) => {
            box.value = texts;
            box.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        texts,
    )


def done(page: Page, n: int) -> None:
    """Waits until the notice tells the end of a run over n texts."""
    told = re.compile(rf"^{n:,} texts? read under")
    expect(page.get_by_test_id("notice")).to_have_text(told, timeout=90 * SECONDS)


def has_points(page: Page, letter: str, n: int) -> None:
    """Waits until a map shows n texts."""
    expect(page.get_by_test_id(f"map-{letter}").locator(".scatterlayer .point")).to_have_count(n)


def chips(page: Page, letter: str) -> list[str]:
    """Names of the groups under an instruction."""
    found = page.locator(f"[data-testid^='chip-{letter}-']").all_inner_texts()
    return [re.sub(r"\s*\d+$", "", text.strip().replace("\n", " ")).strip() for text in found]


def test_opens_with_a_sample_already_explored(app):
    has_points(app, "A", 36)
    has_points(app, "B", 36)
    expect(app.get_by_test_id("view-A")).to_contain_text("groups")
    expect(app.get_by_test_id("row-0")).to_be_visible()
    expect(app.locator("#texts-box textarea")).to_have_value(re.compile(r"\w+"))
    assert {"cat", "dog"} <= set(chips(app, "A"))


def test_another_sample(app):
    app.locator("#samples label", has_text="Film").click()
    done(app, 36)
    expect(app.get_by_test_id("view-A")).not_to_contain_text("animal")
    expect(app.get_by_test_id("row-0")).to_be_visible()


def test_samples_can_be_chosen_with_the_keyboard(app):
    app.locator("#samples input").nth(1).focus()
    app.keyboard.press("Space")
    done(app, 48)
    expect(app.get_by_test_id("view-A")).not_to_contain_text("animal")


def test_own_texts_group_by_what_is_asked(app):
    explore(app, "\n".join(OWN), A="Which animal is mentioned?", B="How does the person feel?")
    done(app, len(OWN))
    has_points(app, "A", len(OWN))
    assert {"horse", "parrot"} <= set(chips(app, "A"))
    assert not {"cat", "dog", "horse", "parrot"} & set(chips(app, "B"))


def test_a_third_instruction_is_added_and_removed(app):
    app.locator("#add-instruction").click()
    explore(app, C="How many animals are there?")
    done(app, 36)
    expect(app.get_by_test_id("view-C")).to_be_visible()
    app.locator("#remove-C").click()
    expect(app.locator("#instruction-C")).to_be_hidden()
    explore(app)
    expect(app.get_by_test_id("view-C")).to_have_count(0, timeout=60 * SECONDS)


def test_a_suggestion_fills_a_new_box(app):
    suggestion = app.locator("#suggestions button").nth(2)
    words = suggestion.inner_text().strip()
    suggestion.click()
    expect(app.locator("#instruction-C textarea")).to_have_value(words)


def test_pointing_at_a_row_highlights_it_everywhere(app):
    app.get_by_test_id("row-3").hover()
    expect(app.get_by_test_id("row-3")).to_have_class(re.compile("is-highlighted"))
    for letter in "AB":
        ring = app.get_by_test_id(f"ring-{letter}").first
        expect(ring).to_have_attribute("data-index", "3")


def test_pointing_at_a_map_highlights_the_row(app):
    app.get_by_test_id("map-A").scroll_into_view_if_needed()
    app.get_by_test_id("map-A").locator(".scatterlayer .point").nth(5).hover(force=True)
    expect(app.get_by_test_id("tooltip")).to_be_visible()
    expect(app.locator("tr.is-highlighted").first).to_be_attached()


def test_a_click_pins_and_shows_the_detail(app):
    app.get_by_test_id("row-2").click()
    expect(app.get_by_test_id("row-2")).to_have_class(re.compile("is-pinned"))
    text = app.get_by_test_id("row-2").locator(".lv-text").inner_text()
    detail = app.get_by_test_id("detail")
    expect(detail).to_contain_text(text[:40])
    expect(detail).to_contain_text("Nearest neighbours")
    app.keyboard.press("Escape")
    expect(app.get_by_test_id("row-2")).not_to_have_class(re.compile("is-pinned"))


def test_a_heatmap_cell_opens_the_pair(app):
    heatmap = app.get_by_test_id("heatmap-A")
    heatmap.scroll_into_view_if_needed()
    box = heatmap.locator(".heatmaplayer image").bounding_box()
    app.mouse.click(box["x"] + box["width"] * 0.15, box["y"] + box["height"] * 0.8)
    pair = app.get_by_test_id("pair")
    expect(pair).to_be_visible()
    expect(pair).to_contain_text("Why similar?")


def test_a_pair_among_many_texts_is_told_anew_under_another_question(app):
    many = [f"{text} ({n})" for n in range(18) for text in OWN]  # 432: the page lacks most pairs
    explore(app, "\n".join(many), A="What animal is mentioned?")
    done(app, len(many))
    app.get_by_test_id("row-0").focus()
    for key in ("Enter", "ArrowDown", "Shift+Enter"):
        app.keyboard.press(key)
    similarity = app.get_by_test_id("pair").locator(".lv-similarity b").first
    expect(similarity).to_have_text(re.compile(r"\d"))
    before = similarity.inner_text()
    explore(app, A="Is it a complaint, a farewell or good news?")
    done(app, len(many))
    expect(similarity).not_to_have_text(before)
    expect(similarity).to_have_text(re.compile(r"\d"))


def test_a_lasso_selects_everywhere(app):
    plot = app.get_by_test_id("map-A")
    plot.scroll_into_view_if_needed()
    box = plot.locator(".nsewdrag").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.05)]
    app.mouse.move(box["x"] + box["width"] * 0.02, box["y"] + box["height"] * 0.02)
    app.mouse.down()
    for x, y in corners:
        app.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=6)
    app.mouse.up()
    expect(app.get_by_test_id("selection-count")).to_have_text("36 selected")


def test_a_chip_selects_its_group_and_shows_only_it(app):
    chip = app.get_by_test_id("chip-A-0")
    count = int(re.search(r"(\d+)\s*$", chip.inner_text()).group(1))
    chip.click()
    expect(app.get_by_test_id("selection-count")).to_have_text(f"{count} selected")
    expect(app.locator("tr.is-selected")).to_have_count(count)


def test_keyboard_alone(app):
    app.get_by_test_id("row-0").focus()
    app.keyboard.press("ArrowDown")
    expect(app.get_by_test_id("row-1")).to_be_focused()
    expect(app.get_by_test_id("row-1")).to_have_class(re.compile("is-highlighted"))
    app.keyboard.press("Enter")
    expect(app.get_by_test_id("row-1")).to_have_class(re.compile("is-pinned"))
    app.keyboard.press("ArrowDown")
    app.keyboard.press("Shift+Enter")
    expect(app.get_by_test_id("pair")).to_be_visible()
    expect(app.get_by_test_id("status")).not_to_be_empty()


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ("", "There is no text yet"),
        ("   \n \n", "There is no text yet"),
        ("word\n" * 10_001, "10,001"),
    ],
)
def test_texts_that_cannot_be_explored(app, texts, sentence):
    explore(app, texts, A="My own question?")
    expect(app.get_by_test_id("notice")).to_contain_text(sentence, timeout=30 * SECONDS)
    expect(app.locator("#instruction-A textarea")).to_have_value("My own question?")
    expect(app.locator("#texts-box textarea")).to_have_value(texts)
    has_points(app, "A", 36)  # the picture stays


def test_no_instruction(app):
    explore(app, A="", B=" ")
    expect(app.get_by_test_id("notice")).to_contain_text("There is no instruction yet")
    has_points(app, "A", 36)


def test_too_long_an_instruction(app):
    explore(app, A="why " * 600)
    expect(app.get_by_test_id("notice")).to_contain_text("too long", timeout=30 * SECONDS)
    has_points(app, "A", 36)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_texts(app, n):
    explore(app, "\n".join(OWN[:n]))
    done(app, n)
    has_points(app, "A", n)
    expect(app.get_by_test_id("notice")).to_contain_text("Mapped by MDS")
    expect(app.get_by_test_id(f"row-{n - 1}")).to_be_visible()


def test_markup_is_text(app):
    attack = "<img src=x onerror=\"document.title='hacked'\">"
    texts = [attack, "I love <mask> cats & dogs", "🐈 😀", "הכלב שלי שמח", *OWN[:6]]
    explore(app, "\n".join(texts), A=f"What is {attack}?")
    done(app, len(texts))
    expect(app.get_by_test_id("view-A")).to_contain_text(attack)
    expect(app.get_by_test_id("row-0")).to_contain_text(attack)
    app.get_by_test_id("row-0").click()
    expect(app.get_by_test_id("detail")).to_contain_text(attack)
    assert app.title() != "hacked"
    assert app.locator("img[src='x']").count() == 0


def upload(page: Page, name: str, content: bytes) -> None:
    page.get_by_role("tab", name="Upload").click()
    page.locator("#upload input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def test_upload_a_csv_and_change_the_column(app):
    rows = "\n".join(f'{i},"{text}",mark{i % 2}' for i, text in enumerate(OWN))
    upload(app, "mine.csv", f"number,review,mark\n{rows}".encode("utf-16"))
    expect(app.get_by_test_id("notice")).to_contain_text("24 texts read", timeout=30 * SECONDS)
    app.get_by_role("tab", name="Write").click()
    expect(app.locator("#texts-box textarea")).to_have_value("\n".join(OWN))
    explore(app)
    done(app, len(OWN))
    expect(app.locator("th", has_text="mark")).to_be_attached()
    app.get_by_role("tab", name="Upload").click()
    app.locator("#text-column input").click()
    app.get_by_role("option", name="mark").click()
    app.get_by_role("tab", name="Write").click()
    expect(app.locator("#texts-box textarea")).to_have_value(re.compile("^mark0\nmark1"))


def test_a_binary_file_named_csv(app):
    before = app.locator("#texts-box textarea").input_value()
    upload(app, "picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    notice = app.get_by_test_id("notice")
    expect(notice).to_have_attribute("data-kind", "error", timeout=30 * SECONDS)
    expect(notice).to_contain_text("picture.csv")
    app.get_by_role("tab", name="Write").click()
    expect(app.locator("#texts-box textarea")).to_have_value(before)


def test_an_unreachable_checkpoint_is_one_sentence(app):
    app.locator("#settings button").first.click()
    app.locator("#checkpoint input").click()
    app.get_by_role("option", name=re.compile("KomeijiForce")).click()
    explore(app)
    notice = app.get_by_test_id("notice")
    expect(notice).to_contain_text("needs no download", timeout=60 * SECONDS)
    has_points(app, "A", 36)


def test_settings_run_again_and_colours_follow_labels(app):
    app.locator("#settings button").first.click()
    app.locator("#n-groups input").click()
    app.get_by_role("option", name="3", exact=True).click()
    expect(app.locator("[data-testid^='chip-A-']")).to_have_count(3, timeout=60 * SECONDS)
    app.locator("#color-by input").click()
    app.get_by_role("option", name="Label: feeling").click()
    expect(app.get_by_test_id("chip-A-0")).to_contain_text(
        re.compile("joy|sadness|anger|fear"), timeout=30 * SECONDS
    )


def test_cancel_keeps_everything(app):
    texts = "\n".join(f"{text} Number {i}." for i in range(60) for text in OWN)
    explore(app, texts)
    app.locator("#cancel").click(timeout=30 * SECONDS)
    expect(app.get_by_test_id("notice")).to_contain_text("Cancelled", timeout=60 * SECONDS)
    expect(app.locator("#texts-box textarea")).to_have_value(texts)
    has_points(app, "A", 36)


def test_exploring_again_replaces_the_run_and_can_be_cancelled(app):
    explore(app, "\n".join(f"{text} Number {i}." for i in range(60) for text in OWN))
    app.wait_for_timeout(500)
    app.locator("#explore").click()
    app.wait_for_timeout(1500)
    app.locator("#cancel").click(timeout=30 * SECONDS)
    expect(app.get_by_test_id("notice")).to_contain_text("Cancelled", timeout=60 * SECONDS)
    expect(app.locator("#cancel")).to_be_disabled(timeout=30 * SECONDS)
    expect(app.get_by_test_id("notice")).to_contain_text("Cancelled")


def test_what_was_written_comes_back_after_a_sample(app):
    paste(app, "\n".join(OWN))
    app.locator("#instruction-A textarea").fill("My own question?")
    app.locator("#samples label", has_text="Job adverts").click()
    done(app, 48)
    app.locator("#back").click()
    expect(app.locator("#texts-box textarea")).to_have_value("\n".join(OWN))
    expect(app.locator("#instruction-A textarea")).to_have_value("My own question?")
    expect(app.locator("#back")).to_be_hidden()


def test_blank_boxes_are_closed(app):
    app.locator("#add-instruction").click()
    explore(app, A="What animal is mentioned?", B="", C="How does the writer feel?")
    done(app, 36)
    expect(app.locator("#instruction-B textarea")).to_have_value("How does the writer feel?")
    expect(app.locator("#instruction-C")).to_be_hidden()


def test_dark(open_page):
    page = open_page()
    page.goto(DARK)
    opened(page)
    background = page.evaluate(BACKGROUND)
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
    color = page.evaluate("getComputedStyle(document.querySelector('[data-testid=row-0]')).color")
    assert min(map(int, re.findall(r"\d+", color)[:3])) > 150
    page.locator("#theme").click()
    background = page.evaluate(BACKGROUND)
    assert min(map(int, re.findall(r"\d+", background)[:3])) > 200


def test_narrow(narrow_page):
    narrow_page.goto("/")
    opened(narrow_page)
    width = narrow_page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    expect(narrow_page.locator("#explore")).to_be_visible()
