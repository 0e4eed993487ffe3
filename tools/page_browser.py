"""A headless Chromium that is driven as a person drives it: by clicks, keys and looks.

It talks to the browser through two pipes (--remote-debugging-pipe), with Python's own library alone. Clicks and
keys go through the browser's own input, so that what is covered, off the screen or out of the order of Tab is not
reached.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

KEYS = {
    "Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, ""), " ": ("Space", 32, " "), "Escape": ("Escape", 27, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""), "ArrowUp": ("ArrowUp", 38, ""), "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""), "Home": ("Home", 36, ""), "End": ("End", 35, "")}


class BrowserError(Exception):
    pass


class Browser:
    """Chromium with a profile that is thrown away. Use it in a with statement."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="trivium-page-")
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()
        # The browser reads commands from descriptor 3 and writes to 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"', "chromium", program,
             "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--remote-debugging-pipe", f"--user-data-dir={self.profile}", "about:blank"],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.last_id, self.events, self.session = b"", 0, [], None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close", session=False)
            self.process.wait(10)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.write_end)
        os.close(self.read_end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, session=True, **params):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if session and self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 30
        while True:
            reply = self.receive(deadline - time.monotonic())
            if reply is None:
                raise BrowserError(f"no reply to {method}")
            if reply.get("id") == self.last_id:
                if "error" in reply:
                    raise BrowserError(f"{method}: {reply['error']['message']}")
                return reply["result"]

    def receive(self, seconds):
        """The next message, kept in `events` where it is one; None when none comes in time."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0, seconds))
            if not ready:
                return None
            part = os.read(self.read_end, 1 << 16)
            if not part:
                raise BrowserError("the browser has ended")
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url, width, height, phone=False, dark=False, calm=False):
        """A new tab of a size. `phone`: touches instead of clicks; `calm`: reduced motion."""
        target = self.call("Target.createTarget", session=False, url="about:blank")["targetId"]
        self.session = None
        self.session = self.call("Target.attachToTarget", session=False, targetId=target,
                                 flatten=True)["sessionId"]
        self.events = []
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.phone, self.size = phone, (width, height)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'", f"{url} is loaded")

    def close(self):
        self.call("Page.close")
        self.session = None

    # --- Looks.

    def js(self, expression):
        """The value of an expression of JavaScript."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, expression, what, seconds=20):
        """Waits until an expression is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = self.js(expression)
            if value:
                return value
            time.sleep(0.03)
        raise BrowserError(f"after {seconds} s still not so: {what}")

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? null")

    def tree(self):
        """What a screen reader is told of the page: nodes with role, name and states."""
        nodes = []
        for node in self.call("Accessibility.getFullAXTree")["nodes"]:
            if node.get("ignored"):
                continue
            states = {p["name"]: p["value"].get("value") for p in node.get("properties", [])}
            nodes.append({"role": node["role"]["value"], "name": node.get("name", {}).get("value", ""), **states})
        return nodes

    def screenshot(self, path, whole=True):
        """Saves a PNG of the whole page, or of what is on the screen."""
        width, height = self.size
        if whole:
            self.js("scrollTo(0, 0)")
            height = self.js("Math.ceil(document.documentElement.getBoundingClientRect().height)")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole,
                         **({"clip": clip} if whole else {}))["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    # --- Hands.

    def click(self, selector):
        """A click (on a phone: a touch) in the middle of the first element; it has to be what lies there."""
        where = self.js(f"""(() => {{
          const element = document.querySelector({json.dumps(selector)});
          if (!element) return 'is not there';
          element.scrollIntoView({{block: 'center', inline: 'center'}});
          const box = element.getBoundingClientRect();
          if (box.width === 0) return 'is not shown';
          const x = box.x + box.width / 2, y = box.y + box.height / 2, top = document.elementFromPoint(x, y);
          return element.contains(top) || top?.contains(element) ? [x, y] : 'is covered by ' + top?.outerHTML;
        }})()""")
        if isinstance(where, str):
            raise BrowserError(f"{selector} {where}")
        x, y = where
        if self.phone:
            self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        else:
            for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name, shift=False, times=1):
        code, number, text = KEYS[name]
        common = {"key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 if shift else 0}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown",
                      **common, **({"text": text} if text else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        """Writes into what has the focus."""
        self.call("Input.insertText", text=text)

    def choose(self, selector, value):
        """Chooses an entry of a list by keys: its first letters would do, but names begin alike."""
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        find = f"""(() => {{ const list = document.querySelector({json.dumps(selector)});
          return [...list.options].findIndex((one) => one.value === {json.dumps(value)}) - list.selectedIndex;
        }})()"""
        steps = self.js(find)
        self.key("ArrowDown" if steps > 0 else "ArrowUp", times=abs(steps))
        if self.js(f"document.querySelector({json.dumps(selector)}).value") != value:
            raise BrowserError(f"{selector} does not take {value}")
