"""record_repl.py PROGRAM FILE: what tools/record_repl runs: types into `PROGRAM repl` and draws what it showed."""

import io
import os
import pty
import re
import select
import struct
import sys
import tempfile
import termios
import time
from fcntl import ioctl

import pyte
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, ROWS = 92, 100
TYPED = ["the food was cold and the waiter was rude", "/disable dec.2=2"]
PROMPT = "› "

# On dark: background, foreground, and the sixteen colours of terminals.
THEME = TerminalTheme(
    (24, 27, 33), (222, 226, 232),
    [(60, 66, 76), (233, 120, 120), (127, 214, 180), (243, 198, 107), (140, 200, 240), (235, 169, 208),
     (130, 210, 220), (222, 226, 232)],
    [(140, 148, 160), (240, 163, 127), (160, 230, 200), (244, 226, 141), (169, 183, 242), (240, 190, 220),
     (160, 225, 232), (255, 255, 255)])

# The fonts are those of whoever looks: a picture that fetched one would tell others that it is looked at.
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px ui-sans-serif, system-ui, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Terminal:
    """A program in a terminal of COLUMNS by ROWS."""

    def __init__(self, command, environment):
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)
        self.process, self.end = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, environment)
        ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds):
        """Shows what comes within so long; whether something came."""
        ready, _, _ = select.select([self.end], [], [], seconds)
        if not ready:
            return False
        try:
            self.stream.feed(os.read(self.end, 1 << 16))
        except OSError:
            raise SystemExit("record_repl: the program ended: " + "\n".join(self.screen.display).strip())
        return True

    def wait_for_prompt(self):
        """Until the line with the cursor is an empty prompt, and nothing has come for a moment."""
        deadline = time.monotonic() + 900  # it may have to be built first
        while time.monotonic() < deadline:
            came = self.read(0.5)
            line = self.screen.display[self.screen.cursor.y].rstrip()
            if not came and line.endswith(PROMPT.strip()):
                return
        raise SystemExit("record_repl: no prompt came")

    def type(self, keys):
        os.write(self.end, keys.encode())


def style_of(cell):
    """A cell's style in rich's words."""
    words = [word for word, has in (("bold", cell.bold), ("italic", cell.italics), ("underline", cell.underscore),
                                    ("reverse", cell.reverse)) if has]
    for word, colour in (("", cell.fg), ("on ", cell.bg)):
        if colour == "default":
            continue
        if re.fullmatch("[0-9a-f]{6}", colour):
            words.append(f"{word}#{colour}")
        else:
            name = colour.replace("brown", "yellow")
            words.append(word + (f"bright_{name[6:]}" if name.startswith("bright") else name))
    return " ".join(words)


def lines_of(screen):
    """The screen's lines as rich takes them, without the empty ones at the end."""
    lines = []
    for y in range(ROWS):
        line = Text()
        for x in range(COLUMNS):
            cell = screen.buffer[y][x]
            line.append(cell.data, style_of(cell))
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def main():
    program, file = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8",
                       "TRIVIUM_HOME": os.environ.get("TRIVIUM_HOME", os.getcwd())}
        terminal = Terminal([program, "repl", "--quiet"], environment)
        terminal.wait_for_prompt()
        terminal.screen.reset()  # what building said is not part of it
        terminal.type("\x0c")  # Ctrl-L draws the prompt anew
        terminal.wait_for_prompt()
        for line in TYPED:
            terminal.type(line + "\r")
            terminal.wait_for_prompt()
        lines = lines_of(terminal.screen)[:-1]  # without the prompt that waits
        terminal.type("\x04")
    console = Console(width=COLUMNS, record=True, file=io.StringIO())
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop", highlight=False)
    with open(file, "w", encoding="utf-8") as picture:
        picture.write(console.export_svg(title="trivium repl", theme=THEME, code_format=SVG, unique_id="repl"))


if __name__ == "__main__":
    main()
