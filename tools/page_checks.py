"""What tools/check_page checks of the page, step by step, in one tab."""

import json
import time
import urllib.parse

from page_browser import BrowserError

TEXT = "the food was cold and the waiter was rude"
LONG = "The legislation was subsequently repealed owing to widespread public opposition."

# Writes down what the page shows at every change: the answer's text and which parts of the line are drawn.
WATCH = """(() => {
  window.seen = [];
  window.watcher?.disconnect();
  window.watcher = new MutationObserver(() => {
    const lane = document.querySelector('.lane-a');
    const lines = [...lane?.querySelectorAll('.taken') ?? []].map((line) => line.classList.contains('drawn'));
    window.seen.push([lane?.querySelector('.answer').textContent ?? '', ...lines, document.getAnimations().length]);
  });
  window.watcher.observe(document.querySelector('#lanes'),
                         {subtree: true, childList: true, characterData: true, attributes: true});
})()"""

# Text whose colour is too near that of what it stands on (WCAG's ratio of 4.5).
FAINT = """(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.closest('option, script, style, button:disabled')) continue;
    const isDrawn = element.namespaceURI.endsWith('svg');
    const lit = element.closest('.node.lit');
    const below = lit ? numbers(getComputedStyle(lit.querySelector('.disc')).fill)
        : ground(isDrawn ? element.closest('.picture') : element);
    const [a, b] = [light(numbers(isDrawn ? style.fill : style.color)), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.add(`${element.className.baseVal ?? element.className} ` +
        `“${walker.currentNode.data.trim().slice(0, 20)}” ${ratio.toFixed(2)}`);
  }
  return [...faint];
})()"""

# What sticks out of the screen to the right, but for what scrolls within itself.
WIDE = """[...document.querySelectorAll('body *')].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > document.documentElement.clientWidth + 0.5 &&
      !element.closest('.picture, .unseen, option');
}).map((element) => element.outerHTML.slice(0, 80))"""


def expect(is_so, what):
    if not is_so:
        raise BrowserError(what)


class Checks:
    def __init__(self, browser, server):
        self.browser = browser
        self.server = server

    def steps(self):
        return [("opens", self.opens), ("auto", self.auto), ("streams", self.streams), ("task", self.task),
                ("pin", self.pin), ("disable", self.disable), ("compare", self.compare), ("fields", self.fields),
                ("map", self.map), ("stop", self.stop),
                ("wrong", self.wrong), ("text stays text", self.text_stays_text)]

    # --- Ways to do and to see.

    def write(self, text):
        self.browser.js("document.querySelector('#fields textarea').value = ''")
        self.browser.click("#fields textarea")
        self.browser.type(text)

    def ended(self):
        self.browser.wait("""document.querySelectorAll('.answer').length > 0 &&
            ![...document.querySelectorAll('.answer')].some((one) => one.ariaBusy === 'true')""", "an answer ended")
        expect(self.browser.text("#error") == "", f"an error is shown: {self.browser.text('#error')}")

    def press_ask(self):
        self.browser.click("#go")
        self.ended()

    def shown(self, lane="a"):
        return self.browser.text(f".lane-{lane} .answer").strip()

    def lit(self, lane="a"):
        """{"encoder 4": 2, ...} as the picture shows it."""
        labels = self.browser.js(f"[...document.querySelectorAll('.lane-{lane} .node.lit')]"
                                 ".map((node) => node.getAttribute('aria-label'))")
        pairs = [label.split(", ")[:2] for label in labels]
        return {layer: int(expert.split(" ")[1]) for layer, expert in pairs}

    def route_of(self, route):
        """The same of a reply of the server's."""
        return {f"{stack} {i + 1}": expert for stack in ("encoder", "decoder")
                for i, expert in enumerate(route[stack]) if expert}

    def answer(self, task, prompt):
        """What the page is to show: the likeliest of the task's own answers, or else what is written."""
        found = self.server.ask("/v1/route", {"input": prompt, **({} if task == "auto" else {"task": task})})
        if len(found["options"]) < 2:
            return self.completion(task, prompt)["text"].strip()
        return self.server.ask("/v1/score", {"input": prompt, "task": found["task"]})["best"]

    def completion(self, task, prompt, **more):
        reply = self.server.ask("/v1/completions", {"model": f"trivium-small:{task}", "prompt": prompt,
                                                    "num_beams": 1, **more})
        return reply["choices"][0]

    def fits_the_screen(self):
        self.browser.wait("document.getAnimations().length === 0", "the page to be still")
        wide = self.browser.js(WIDE)
        expect(not wide, f"wider than the screen: {wide}")
        expect(self.browser.js("document.scrollingElement.scrollWidth <= innerWidth"), "the page scrolls sideways")
        faint = self.browser.js(FAINT)
        expect(not faint, f"faint text: {faint}")

    # --- The steps.

    def opens(self):
        browser = self.browser
        browser.wait("document.querySelector('#task').options.length > 1", "the tasks are there")
        routes, tasks = self.server.ask("/v1/routes"), self.server.ask("/v1/tasks")["tasks"]
        expect(browser.js("document.querySelector('#task').options.length") == len(tasks) + 1, "every task can be chosen")
        expect(browser.js("document.querySelector('#task').value") == "", "auto is chosen first")
        expect("auto" in browser.text("#task"), "auto is called auto")
        cells = browser.js("""Object.fromEntries([...document.querySelectorAll('#tables tbody tr:not(.family)')].map(
            (row) => [row.querySelector('button').textContent, [...row.querySelectorAll('td')].map((c) => +c.textContent)]))""")
        expected = {one["task"]: [weights.index(max(weights)) + 1 for weights in one["used"]]
                    for one in routes["tasks"]}
        expect(cells == expected, "the map shows every task's route")
        self.fits_the_screen()
        self.names()

    def auto(self):
        self.write(TEXT)
        self.press_ask()
        expected, found = self.answer("auto", TEXT), self.server.ask("/v1/route", {"input": TEXT})
        expect(self.shown() == expected, f"the answer is {self.shown()}, not {expected}")
        expect(self.browser.text(".lane-a .task") == found["task"], "the task that was found is shown")
        reason = self.browser.text(".lane-a .reason")
        expect(found["reason"][1:] in reason and "auto" in reason, f"auto says why: {reason}")
        expect(self.lit() == self.route_of(found["route"]), f"the route is drawn: {self.lit()}")
        self.fits_the_screen()

    def streams(self):
        browser = self.browser
        browser.choose("#task", "asset")
        self.write(LONG)
        browser.js(WATCH)
        self.press_ask()
        seen = browser.js("window.seen")
        answer = self.shown()
        expect(answer == self.completion("asset", LONG)["text"].strip(), "the whole answer is shown")
        texts = [text for text in dict.fromkeys(one[0] for one in seen) if text]
        expect(len(texts) > 3 and all(answer.startswith(text.strip()) for text in texts),
               f"the answer grows word by word: {texts}")
        drawn = [one for one in seen if len(one) == 4]
        expect(any(one[1] and not one[2] and not one[0] for one in drawn),
               "the encoder's part is drawn before there is an answer")
        expect(all(one[2] for one in drawn if one[0]) and drawn[-1][2], "the decoder's part is drawn with the tokens")
        if browser.js("matchMedia('(prefers-reduced-motion: reduce)').matches"):
            expect(all(one[3] == 0 for one in drawn), "nothing moves where little motion is wanted")

    def task(self):
        browser = self.browser
        browser.choose("#task", "sst2")
        expect("movie" in browser.text("#task-note"), "the task is described")
        self.write("a gorgeous, witty film")
        self.press_ask()
        expect(browser.text(".lane-a .task") == "sst2" and self.shown() == "positive", "sst2 answers positive")
        bars = browser.js("""[...document.querySelectorAll('.lane-a .bar')].map((bar) => [
            bar.querySelector('.option').textContent, bar.querySelector('.value').textContent,
            bar.querySelector('.fill').getBoundingClientRect().width / bar.querySelector('.track').getBoundingClientRect().width])""")
        expect([bar[0] for bar in bars] == ["positive", "negative"], f"the options are ranked: {bars}")
        expect(abs(sum(bar[2] for bar in bars) - 1) < 0.02, f"the shares sum to 1: {bars}")
        expect(all(bar[1].startswith("<") or abs(int(bar[1].split(" ")[0]) / 100 - bar[2]) < 0.02 for bar in bars),
               f"bars are as long as their shares: {bars}")
        browser.choose("#task", "clinc150_intent")
        self.write("please remind me to water the plants at six")
        self.press_ask()
        expect(browser.js("document.querySelectorAll('.lane-a .bar').length") == 6, "many options: the first are shown")
        browser.click(".lane-a .more")
        expect(browser.js("document.querySelectorAll('.lane-a .bar').length") > 100, "and all when asked for")

    def pin(self):
        browser = self.browser
        browser.choose("#task", "asset")
        self.write(LONG)
        self.press_ask()
        before, own = self.shown(), self.lit()
        expect(browser.js("document.querySelector('.lane-a .before').hidden"), "nothing is pinned yet")
        others = browser.js("""[...document.querySelectorAll('.lane-a .node:not(.lit)')]
            .map((node) => node.getAttribute('aria-label'))""")
        changed = False
        for label in reversed(others):
            layer, expert = label.split(", ")[0], int(label.split(", ")[1].split(" ")[1])
            browser.click(f'.lane-a .node[aria-label^="{layer}, expert {expert}"]')
            self.ended()
            expect(self.lit() == {**own, layer: expert}, f"the route takes {label}: {self.lit()}")
            expect(browser.text(".lane-a .before .text") == before, "the answer before is shown")
            expect(f"{layer} → expert {expert}" in browser.text(".lane-a .changes"), "the pin is named")
            changed = self.shown() != before
            expect(("changes" if changed else "leaves") in browser.text(".lane-a .verdict"), "the verdict is right")
            route = {stack: [expert if f"{stack} {i + 1}" == layer else None for i in range(count)]
                     for stack, count in (("encoder", 6), ("decoder", 2))}
            expect(self.shown() == self.completion("asset", LONG, route=route)["text"].strip(),
                   "the answer is the server's for this route")
            if changed:
                break
            browser.click(f'.lane-a .node[aria-label^="{layer}, expert {expert}"]')
            self.ended()
            expect(self.lit() == own and self.shown() == before, "pressed again, the pin is gone")
        expect(changed, "no pin changes the answer")
        self.fits_the_screen()
        browser.click(".lane-a .restore")
        self.ended()
        expect(self.lit() == own and self.shown() == before, "the task's own route is back")

    def disable(self):
        browser = self.browser
        before, own = self.shown(), self.lit()
        for layer, expert in own.items():
            node = f'.lane-a .node[aria-label^="{layer}, expert {expert}"]'
            browser.click(node)
            self.ended()
            stack, number = layer.split(" ")
            counts = {"encoder": 6, "decoder": 2}
            without = {stack: [expert if i + 1 == int(number) else None for i in range(counts[stack])]}
            reply = self.completion("asset", LONG, route={"disabled": without})
            expect(self.shown() == reply["text"].strip(), f"the answer is the server's without {layer}'s expert")
            expect(self.lit() == self.route_of(reply["trivium"]["route"]) and self.lit()[layer] != expert,
                   f"the next likeliest is taken: {self.lit()}")
            expect(f"{layer} without expert {expert}" in browser.text(".lane-a .changes"), "what is disabled is named")
            expect(", disabled" in browser.js(f"document.querySelector('{node}').getAttribute('aria-label')"),
                   "a screen reader is told")
            expect(browser.js(f"getComputedStyle(document.querySelector('{node} .cross')).visibility") == "visible",
                   "it is crossed out")
            expect(("changes" if self.shown() != before else "leaves") in browser.text(".lane-a .verdict"),
                   "the verdict is right")
            self.fits_the_screen()
            browser.click(node)
            self.ended()
            expect(self.lit() == own and self.shown() == before, "pressed again, the expert is taken again")
        browser.click(node)  # the next step's task begins with its own route
        self.ended()

    def compare(self):
        browser = self.browser
        browser.choose("#task", "sst2")
        browser.choose("#other", "cola")
        self.write("a gorgeous, witty film")
        self.press_ask()
        expect(browser.text(".lane-b .task") == "cola", "the second task is shown")
        for lane, task in (("a", "sst2"), ("b", "cola")):
            text = "a gorgeous, witty film"
            expect(self.shown(lane) == self.answer(task, text), f"{task}'s answer: {self.shown(lane)}")
            route = self.server.ask("/v1/route", {"input": text, "task": task})["route"]
            expect(self.lit(lane) == self.route_of(route), f"{task}'s route: {self.lit(lane)}")
        a, b = self.lit("a"), self.lit("b")
        differing = [layer for layer in a if a[layer] != b[layer]]
        said = browser.text("#comparison")
        expect(f"in {len(differing)} of {len(a)} layers" in said and all(one in said for one in differing),
               f"the layers that differ are named: {said}")
        for lane in "ab":
            marks = browser.js(f"document.querySelectorAll('.lane-{lane} .band.on').length")
            expect(marks == len(differing), f"{marks} layers are marked, {len(differing)} differ")
        letters = browser.js("[...document.querySelectorAll('#tables .badge')].map((b) => b.parentElement.dataset.task)")
        expect(sorted(letters) == ["cola", "sst2"], f"the map marks both tasks: {letters}")
        self.fits_the_screen()
        self.names()

    def fields(self):
        browser = self.browser
        browser.choose("#other", "")
        browser.choose("#task", "mnli")
        labels = browser.js("[...document.querySelectorAll('#fields label')].map((one) => one.textContent)")
        expect(sorted(labels) == ["hypothesis", "premise"], f"a task's fields: {labels}")
        browser.click("#example")
        self.press_ask()
        example = next(one for one in self.server.ask("/v1/tasks")["tasks"] if one["name"] == "mnli")["example"]
        expect(self.shown() == self.answer("mnli", example), "the fields are asked with")
        browser.choose("#task", "dream")
        browser.click("#example")
        self.press_ask()
        self.fits_the_screen()

    def map(self):
        browser = self.browser
        browser.click('#tables [data-task="sst5"]')
        expect(browser.js("document.querySelector('#task').value") == "sst5", "a name in the map chooses the task")
        self.write(TEXT)
        self.press_ask()
        browser.choose("#order", "near")
        expect(browser.js("document.querySelector('#tables [data-task]').dataset.task") == "sst5", "A comes first")
        browser.choose("#order", "family")

    def stop(self):
        browser = self.browser
        browser.call("Network.emulateNetworkConditions", offline=False, latency=1000, downloadThroughput=-1,
                     uploadThroughput=-1)
        browser.click("#go")
        browser.click("#stop")
        browser.wait("document.querySelector('.lane-a .facts').innerText === 'stopped'", "the answer is stopped")
        browser.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1,
                     uploadThroughput=-1)
        time.sleep(1.2)
        expect(self.shown() == "" and browser.text("#error") == "", "nothing comes after a stop")

    def wrong(self):
        browser = self.browser
        browser.choose("#task", "")
        self.write("the the the")
        browser.click("#go")
        error = browser.wait("document.querySelector('#error').innerText", "an error is shown")
        expect("no_task" in error and "\n" not in error, f"no task: {error}")
        expect(browser.js("!document.querySelector('.lane-a figure').checkVisibility()"), "no route is shown then")
        browser.js("document.querySelector('#fields textarea').select()")
        self.write("")
        browser.js("""document.querySelector('#fields textarea').dispatchEvent(new Event('input'))""")
        browser.click("#go")
        browser.wait("document.querySelector('#error').innerText.includes('Write a prompt')", "an empty prompt is said")

    def text_stays_text(self):
        self.browser.choose("#task", "")
        self.write("<img src=x onerror=alert(1)> <b>food</b> was cold and the waiter was rude & slow")
        self.press_ask()
        expect(self.browser.js("document.querySelectorAll('img, #lanes b, #lanes script').length") == 0,
               "a text became markup")

    # --- Errors of the server's.

    def busy(self):
        self.browser.wait("document.querySelector('#task').options.length > 1", "the tasks are there")
        self.browser.choose("#task", "asset")  # a text to be written needs a place in the batch
        self.write(LONG)
        with self.server.kept_busy():
            self.browser.click("#go")
            error = self.browser.wait("document.querySelector('#error').innerText", "an error is shown")
        expect("429" in error and "\n" not in error, f"too many wait: {error}")
        time.sleep(0.5)
        self.press_ask()
        expect(self.shown() != "", "asked again, it answers")

    def gone(self):
        self.server.stop()
        self.browser.click("#go")
        error = self.browser.wait("document.querySelector('#error').innerText", "an error is shown")
        expect("cannot be reached" in error, f"the server is gone: {error}")
        self.fits_the_screen()

    def key(self, key):
        browser = self.browser
        error = browser.wait("document.querySelector('#error').innerText", "an error is shown")
        expect("401" in error, f"a key is asked for: {error}")
        browser.wait("document.activeElement.id === 'key'", "the field of the key has the focus")
        browser.type("another")
        browser.key("Enter")
        browser.wait("document.querySelector('#error').innerText.includes('401') && document.activeElement.id === 'key'",
                     "a wrong key is said to be wrong")
        self.fits_the_screen()
        browser.type(key)
        browser.key("Enter")
        browser.wait("document.querySelector('#task').options.length > 1", "the right key opens the page")
        self.write(TEXT)
        self.press_ask()
        expect(browser.js("sessionStorage.length === 1 && localStorage.length === 0 && document.cookie === ''"),
               "the key is kept for the tab alone")

    def dense(self):
        self.browser.wait("document.querySelector('#task').options.length > 1", "the tasks are there")
        self.write("a gorgeous, witty film")
        self.press_ask()
        expect(self.shown() == "positive", "a dense model answers")
        for part in (".lane-a figure", "#map"):
            expect(self.browser.js(f"!document.querySelector('{part}').checkVisibility()"), f"{part} is not shown")

    # --- What holds for all of it.

    def names(self):
        """Everything that can be used has a name, and the page has its landmarks."""
        tree = self.browser.tree()
        used = ("button", "textbox", "combobox", "link")
        nameless = [node for node in tree if node["role"] in used and not node["name"].strip()]
        expect(not nameless, f"without a name: {nameless}")
        roles = {node["role"] for node in tree}
        missing = {"main", "form", "heading", "table", "rowheader", "columnheader", "alert"} - roles
        expect(not missing, f"a screen reader is not told of: {missing}")

    def quiet(self):
        host = urllib.parse.urlparse(self.server.url).netloc
        asked = [event["params"]["request"]["url"] for event in self.browser.events
                 if event["method"] == "Network.requestWillBeSent"]
        strange = [url for url in asked if not url.startswith("data:") and urllib.parse.urlparse(url).netloc != host]
        expect(asked and not strange, f"asked elsewhere: {strange}")
        said = [json.dumps(event["params"])[:300] for event in self.browser.events
                if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        expect(not said, f"logged: {said}")

    def focus(self):
        """What has the focus, as [selector, whether that can be seen]."""
        return self.browser.js("""(() => {
          const one = document.activeElement, ring = one.querySelector('.ring') ?? one;
          const style = getComputedStyle(ring), box = one.getBoundingClientRect();
          const isSeen = one.matches(':focus-visible') && (one === ring
              ? style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 : style.stroke !== 'none');
          return [one.id || one.className.baseVal || one.className, isSeen, box.top >= 0 && box.bottom <= innerHeight];
        })()""")

    def tab_to(self, name):
        for _ in range(30):
            self.browser.key("Tab")
            at, is_seen, is_there = self.focus()
            expect(is_seen, f"the focus on {at} cannot be seen")
            expect(is_there, f"the focus on {at} is off the screen")
            if name in at.split(" "):
                return
        raise BrowserError(f"Tab does not come to {name}")

    def by_keys(self):
        browser = self.browser
        browser.wait("document.querySelector('#task').options.length > 1", "the tasks are there")
        self.tab_to("task")
        browser.key("End")  # of the list
        browser.key("Home")
        self.tab_to("other")
        self.tab_to("field-")
        browser.type(TEXT)
        browser.key("Enter")
        self.ended()
        before, own = self.shown(), self.lit()
        self.tab_to("go")
        self.tab_to("example")
        self.tab_to("node")
        browser.key("Home")
        browser.key("ArrowUp", times=3)
        at = browser.js("document.activeElement.getAttribute('aria-label')")
        expect(at.startswith("encoder 4, expert 1"), f"arrows go from expert to expert: {at}")
        browser.key("ArrowRight")
        browser.key("ArrowDown", times=2)
        at = browser.js("document.activeElement.getAttribute('aria-label')")
        expect(at.startswith("encoder 5, expert 3"), f"arrows go from layer to layer: {at}")
        expect(self.focus()[1], "the focus in the picture cannot be seen")
        browser.key(" ")
        self.ended()
        expect(self.lit() == {**own, "encoder 5": 3}, "Space pins")
        expect(browser.js("document.activeElement.getAttribute('aria-pressed')") == "true", "and says so")
        expect(browser.text(".before .text") == before, "the answer before is shown")
        browser.key("Enter")
        self.ended()
        expect(self.lit() == own, "Enter unpins")
        browser.key("Enter")
        self.ended()
        self.tab_to("restore")
        browser.key("Enter")
        self.ended()
        expect(self.lit() == own and self.focus()[0].startswith("node"), "the task's own route is back, and the focus in the picture")
        browser.key("Tab", shift=True)
        expect(self.focus()[0] == "example", "Shift + Tab goes back")
        self.tab_to("order")
        self.tab_to("name")
        browser.key("Enter")
        expect(browser.js("document.querySelector('#task').value") == "blimp", "Enter on a name chooses the task")
        live = {(node.get("live"), node.get("atomic")) for node in browser.tree() if node.get("live")}
        expect({("polite", True), ("assertive", True)} <= live, f"answers and errors are announced: {live}")
