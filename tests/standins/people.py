#!/usr/bin/env python3
"""The people in the room: answers what a program asks on its terminal, as they would.

    people.py ANSWERS COMMAND [ARGUMENT…]

Runs COMMAND on a pseudo-terminal of 80 columns, passes on all that it says, and ends with its exit
code. ANSWERS has a line for each kind of question, `PATTERN = ANSWER`: the first pattern (a regular
expression) that is found in the question gets its answer. `{today}` stands for today's date and
`{word}` for the word of the number that is asked for, which is read off the screen as people do
who read words back. A question that no pattern knows ends it with a failure; nothing is typed
before it is asked for. Only the standard library is needed.
"""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from pathlib import Path

SECONDS = 120  # that a program may take between two questions
# Where a question ends, and typing begins: so in keyrite, and so perhaps elsewhere.
ASKED = re.compile(r"(?:> |\(press Enter\) |read on\) )$")
PERHAPS = re.compile(r": $")
NUMBERED = re.compile(r"\b(\d{1,2})[.:]? +([A-Za-z]{3,})\b")


def words(screen: str) -> dict[str, str]:
    """The words of the digest that stands on the screen last, by their numbers."""
    return {number: word for number, word in NUMBERED.findall(screen)}


def answer(rules: list[tuple[re.Pattern, str]], question: str, screen: str) -> str | None:
    for pattern, text in rules:
        found = pattern.search(question)
        if not found:
            continue
        if "{word}" in text:
            text = text.replace("{word}", words(screen)[found.group(1)])
        return text.replace("{today}", time.strftime("%Y-%m-%d", time.gmtime()))
    return None


def main() -> int:
    if len(sys.argv) < 3:
        sys.exit("usage: people.py ANSWERS COMMAND [ARGUMENT…]")
    rules = []
    for line in Path(sys.argv[1]).read_text().splitlines():
        if line and not line.startswith("#"):
            pattern, _, text = line.rpartition(" = ")
            rules.append((re.compile(pattern), text))
    child, terminal = pty.fork()
    if child == 0:
        # A terminal that can't edit a line in place: every question ends a line of its own.
        os.environ["TERM"] = "dumb"
        os.execvp(sys.argv[2], sys.argv[2:])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    screen, asked, typed = b"", 0, None
    while True:
        if not select.select([terminal], [], [], SECONDS)[0]:
            print(f"\npeople.py: nothing was said for {SECONDS} seconds", file=sys.stderr)
            os.kill(child, 9)
            return 1
        try:
            said = os.read(terminal, 65536)
        except OSError:  # the program has ended
            break
        if not said:
            break
        screen += said
        sys.stdout.buffer.write(said)
        sys.stdout.flush()
        text = screen[asked:].decode(errors="ignore")
        sure = ASKED.search(text)
        if not sure and not PERHAPS.search(text):
            continue
        # A question begins after an empty line; what stands above is to be read.
        question = " ".join(re.split(r"\r?\n\s*\n", text)[-1].split())
        if question != "(once more) >":
            typed = answer(rules, question, screen.decode(errors="ignore"))
        if typed is None and not sure:
            continue
        if typed is None:
            print("\npeople.py: nobody has an answer to this", file=sys.stderr)
            os.kill(child, 9)
            return 1
        asked = len(screen)
        os.write(terminal, f"{typed}\n".encode())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
