"""The page in a real browser: every control, training, comparing, addresses, sessions, keyboard, themes, widths."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

pytestmark = pytest.mark.browser

SMALL = "kind=plain&num_points=4&dim=2&depth=2&width=4&h=0.2&target=1e-05&step_size=0.01"
COMPILES = 60_000
"""Milliseconds for what may have to be compiled first."""


def deep(*values):
    """A case that compiles a network which the others do not need."""
    return pytest.param(*values, marks=pytest.mark.deep)


def cases(table):
    """The table's rows as parameters, with their marks."""
    made = []
    for name, row in table.items():
        marked = hasattr(row, "marks")
        values = row.values if marked else row if isinstance(row, tuple) else (row,)
        made.append(pytest.param(name, *values, marks=row.marks if marked else (), id=name))
    return made


class Visit:
    """One page, and all that it complained of or reached for."""

    def __init__(self, browser, address, query=SMALL, *, ready=True, **options):
        self.page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        self.complaints, self.outside = [], []
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._requested)
        self.page.set_default_timeout(COMPILES)
        self.page.goto(f"{address}&{query}", wait_until="domcontentloaded")
        if ready:
            self.page.get_by_test_id("panel-claims").locator("tr[data-claim]").first.wait_for()

    def _requested(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.outside.append(request.url)

    def text(self, name):
        return self.page.get_by_test_id(name).inner_text()

    def drawing(self, name):
        return self.page.locator(f'svg[data-plot="{name}"]').first.evaluate("node => node.outerHTML")

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def slider(self, name):
        return self.page.locator(f'[data-control="{name}"] [role="slider"]')

    def step(self):
        return int(self.page.get_by_test_id("run").get_attribute("data-step") or -1)

    def until(self, holds, seconds=60.0):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, (self.text("state"), self.complaints)
            self.page.wait_for_timeout(30)

    def leave(self):
        self.page.context.close()
        assert self.complaints == [] and self.outside == []


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium")
    assert chromium, "these tests need Debian's chromium: apt-get install chromium"
    with sync_playwright() as player:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        started = player.chromium.launch(executable_path=chromium, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address():
    """The command, as a user runs it; at the end Ctrl-C, with pages that were left open."""
    command = [str(Path(sys.executable).parent / "uniformity"), "explore", "--no-browser"]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert served.stdout is not None
    yield served.stdout.readline().split()[-1]
    served.send_signal(signal.SIGINT)
    out, err = served.communicate(timeout=30)
    assert (served.returncode, err) == (0, "") and out.endswith("Closed.\n")


@pytest.fixture(scope="module")
def visit(browser, address):
    """One page that several tests use one after another."""
    made = Visit(browser, address)
    yield made
    made.leave()


def test_every_panel_is_there_and_speaks(visit):
    for name in ("points", "spectrum", "floors", "layers", "smoothness"):
        expect(visit.page.get_by_test_id(f"panel-{name}").locator("svg.plot")).to_be_visible()
        assert re.search(r"\d", visit.text(f"fact-{name}"))
    fates = visit.page.get_by_test_id("panel-claims").locator(".fate").all_inner_texts()
    assert len(fates) >= 8 and "violated" not in fates
    assert visit.page.get_by_test_id("problems").count() == 0


MOVED = {
    "h": "spectrum",
    "seed": "points",
    "gap": "floors",
    "lipschitz": "points",
    "target": "floors",
    "step_size": "floors",
    "width": "spectrum",
    "dim": "points",
    "num_points": deep("points"),
    "depth": deep("spectrum"),
}
CHOSEN = {
    "labelling": ("noisy", "points"),
    "domain": ("sphere", "points"),
    "family": ("tight cluster", "points"),
    "activation": ("gelu", "spectrum"),
    "scaling": deep("ntk", "spectrum"),
    "precision": deep("float32", "spectrum"),
    "kind": ("residual MLP", "spectrum"),
    "bottleneck": deep("2", "spectrum"),
    "normalisation": deep("tau", "spectrum"),
}
ELSEWHERE = {"noise": "points", "cluster_size": "points", "skip": "spectrum"}


@pytest.mark.parametrize(("name", "panel"), cases(MOVED))
def test_a_slider_changes_words_address_and_picture(visit, name, panel):
    before, said = visit.drawing(panel), visit.text("state")
    visit.slider(name).focus()
    visit.page.keyboard.press("ArrowRight")
    visit.until(lambda: visit.drawing(panel) != before and f"{name}=" in visit.page.url)
    visit.until(lambda: visit.text("state") != said or name in ("target", "step_size"))


@pytest.mark.parametrize(("name", "choice", "panel"), cases(CHOSEN))
def test_a_choice_changes_words_address_and_picture(visit, name, choice, panel):
    if name in ("bottleneck", "normalisation"):
        visit.page.locator('[data-control="kind"] select').select_option(label="residual MLP")
        visit.until(lambda: "plain MLP" not in visit.text("state"))
    before = visit.drawing(panel)
    visit.page.locator(f'[data-control="{name}"] select').select_option(label=choice)
    visit.until(lambda: visit.drawing(panel) != before and choice in visit.text("state") + "residual MLP")
    visit.until(lambda: f"{name}=" in visit.page.url or name == "kind")


@pytest.mark.parametrize(("name", "panel"), cases(ELSEWHERE))
def test_what_was_idle_works_where_it_belongs(visit, name, panel):
    """On the residual network, with noisy labels on a cluster, that the tests before have left."""
    before = visit.drawing(panel)
    if name == "skip":
        visit.page.locator('[data-control="skip"] [role="switch"]').click()
    else:
        visit.slider(name).focus()
        visit.page.keyboard.press("ArrowLeft")
    visit.until(lambda: visit.drawing(panel) != before and f"{name}=" in visit.page.url)


@pytest.mark.deep
@pytest.mark.parametrize("name", ["heads", "tokens"])
def test_a_transformer_s_own_controls(browser, address, name):
    visit = Visit(browser, address, f"{SMALL.replace('plain', 'transformer')}&heads=2&tokens=2")
    before = visit.drawing("spectrum")
    visit.slider(name).focus()
    visit.page.keyboard.press("ArrowLeft")
    visit.until(lambda: visit.drawing("spectrum") != before and f"{name}=1" in visit.page.url)
    visit.leave()


def _pictures(visit, *, seconds):
    """How many different steps the page shows in that time; the best of several, for other processes may be busy."""
    seen, end = set(), time.monotonic() + seconds
    while time.monotonic() < end:
        seen.add(visit.step())
        visit.page.wait_for_timeout(20)
    return len(seen)


def test_training_stops_continues_and_compares(browser, address):
    visit = Visit(browser, address, SMALL.replace("target=1e-05", "target=1e-28"))
    expect(visit.page.get_by_test_id("run")).to_contain_text("Press Train")
    visit.press("Train")
    visit.until(lambda: visit.step() > 0)
    assert max(_pictures(visit, seconds=2.0) for _ in range(3)) >= 10, "fewer than five pictures a second"
    visit.press("Stop")
    visit.page.get_by_test_id("run").locator("summary").wait_for()
    stopped, picture = visit.step(), visit.drawing("loss")
    visit.page.wait_for_timeout(500)
    assert visit.step() == stopped and visit.drawing("loss") == picture
    visit.press("Pin this run")
    expect(visit.page.get_by_test_id("pin")).to_contain_text(f"{stopped:,}")
    visit.press("Train")
    visit.until(lambda: visit.step() > stopped)
    visit.slider("h").focus()
    visit.page.keyboard.press("ArrowLeft")
    expect(visit.page.get_by_test_id("pin")).to_contain_text("h_min 0.2 →")
    visit.until(lambda: visit.step() > 0 and 'class="control hue-1"' in visit.drawing("loss"))
    visit.press("Stop")
    visit.press("Start over")
    expect(visit.page.get_by_test_id("run")).to_contain_text("Press Train")
    visit.press("Unpin")
    expect(visit.page.get_by_test_id("pin")).to_have_count(0)
    with visit.page.expect_download() as waited:
        visit.page.locator("marimo-download a").click()
    names = zipfile.ZipFile(waited.value.path()).namelist()
    assert {name.rpartition("/")[2] for name in names} >= {"state.toml", "reproduce.py", "figure.pdf"}
    visit.leave()


def test_an_address_restores_its_page_and_two_pages_do_not_mix(browser, address):
    first, second = Visit(browser, address), Visit(browser, address, f"{SMALL}&labelling=smooth")
    assert "smooth" in second.text("state") and "smooth" not in first.text("state")
    first.slider("h").focus()
    for _ in range(3):
        first.page.keyboard.press("ArrowRight")
    first.until(lambda: "h=0.35" in first.page.url)
    fact, kept = first.text("fact-points"), second.text("fact-points")
    first.page.reload(wait_until="domcontentloaded")
    first.page.get_by_test_id("fact-points").wait_for()
    assert first.text("fact-points") == fact != kept == second.text("fact-points")
    assert "access_token" not in first.page.url
    first.leave()
    second.leave()


def test_a_control_answers_within_300_milliseconds(browser, address):
    visit = Visit(browser, address)
    taken = []
    for key in ("ArrowRight", "ArrowLeft") * 3:
        before = visit.text("fact-spectrum")
        visit.slider("h").focus()
        begin = time.monotonic()
        visit.page.keyboard.press(key)
        visit.until(lambda before=before: visit.text("fact-spectrum") != before)
        taken.append(time.monotonic() - begin)
        visit.page.wait_for_timeout(300)
    assert min(taken) < 0.3, taken
    visit.leave()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("h=5", "h must lie in"),
        ("depth=64&width=4096", "parameter arrays must be at most"),
        ("depth=many", "depth must be"),
        ("nonsense=1", "nonsense"),
    ],
)
def test_what_cannot_be_is_a_sentence_on_the_page(browser, address, query, words):
    visit = Visit(browser, address, query, ready=False)
    expect(visit.page.get_by_role("alert")).to_contain_text(words)
    assert "Traceback" not in visit.page.content()
    visit.leave()


def test_an_unstable_step_size_says_so(browser, address):
    visit = Visit(browser, address, SMALL.replace("step_size=0.01", "step_size=500"))
    visit.press("Train")
    expect(visit.page.get_by_test_id("run")).to_contain_text("diverged")
    visit.press("edge 2/|∇²L|")
    visit.until(lambda: "step_size=500" not in visit.page.url)
    visit.leave()


def test_by_the_keyboard_alone(browser, address):
    visit = Visit(browser, address)
    focused = (
        "(function at(n) { return n.shadowRoot && n.shadowRoot.activeElement ? at(n.shadowRoot.activeElement) : n })"
    )
    names = []
    for _ in range(60):
        visit.page.keyboard.press("Tab")
        name = visit.page.evaluate(f"(() => {{ const n = {focused}(document.activeElement); return n.innerText || "
                                   "n.getAttribute('role') || n.tagName })()")  # fmt: skip
        names.append(name)
        if name == "Train":
            break
    assert names[-1] == "Train" and names.count("slider") >= 10 and names.count("1 Start") == 4
    visit.page.keyboard.press("Enter")
    visit.until(lambda: visit.step() > 0)
    visit.leave()


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_themes_and_widths(browser, address, width, scheme):
    visit = Visit(browser, address, color_scheme=scheme, viewport={"width": width, "height": 900})
    measured = visit.page.evaluate(
        """() => {
            const app = document.querySelector("#App"), colour = getComputedStyle(app).backgroundColor;
            const ink = getComputedStyle(document.querySelector("h1")).color;
            const plot = document.querySelector("svg.plot").getBoundingClientRect().width;
            return [colour, ink, app.scrollWidth - app.clientWidth, plot];
        }"""
    )
    paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in measured[:2])
    assert (paper > 700 and ink < 200) if scheme == "light" else (paper < 100 and ink > 600)
    assert measured[2] <= 0 and measured[3] > 180
    visit.leave()


def test_the_page_without_a_server(browser, tmp_path):
    (tmp_path / "small.toml").write_text(
        "num_points = 4\ndim = 2\ndepth = 1\nwidth = 4\nh = 0.2\nkind = 'plain'\ntarget = 0.1\n"
    )
    command = [str(Path(sys.executable).parent / "uniformity"), "explore", "--state", str(tmp_path / "small.toml")]
    done = subprocess.run([*command, "--export", str(tmp_path / "page.html")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    page = browser.new_context(offline=True).new_page()
    complaints, requests = [], []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda made: requests.append(made.url))
    page.goto((tmp_path / "page.html").as_uri())
    seen = set()
    for labels in page.locator('input[name="labelling"]').all():
        for height in page.locator('input[name="h"]').all():
            labels.check()
            height.check()
            seen.add(page.locator("#view").inner_html())
            assert page.locator("#view svg.plot").count() >= 7
    assert len(seen) == 10 and complaints == [] and len(requests) == 1
    page.context.close()
