# SPDX-License-Identifier: GPL-2.0-or-later
"""What a profile says of counting.S: test_profile.py GNOMON KERNEL."""
import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile

GNOMON, KERNEL = sys.argv[1:3]
CALLS, ITERATIONS = 100000, 400000000


def gnomon(*args, status=0):
    result = subprocess.run([GNOMON, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert result.returncode == status and not result.stderr, (result.returncode, result.stderr)
    return result.stdout


def profile(folder, *options):
    gnomon("run", "--display", "none", "--memory", "64M", "--debug-exit", "0xf4", "--timeout", "100", "--kernel", KERNEL, "--profile", folder,
           *options, status=1)
    return json.loads(gnomon("report", folder, "--json", "--blocks", "1000", "--symbols", KERNEL))


def block(summary, name):
    found = [b for b in summary["blocks"] if b["name"] == name]
    assert len(found) == 1, (name, [b["name"] for b in summary["blocks"]])
    return found[0]


def check_hot(summary):
    """The loop: of blocks, functions and stacks the first."""
    assert re.match(r"hot(\+0x[0-9a-f]+)?$", summary["blocks"][0]["name"]), summary["blocks"][0]
    code = summary["blocks"][0]["code"]
    assert code[0]["guest"] == ["dec eax"] and "dec eax" in code[0]["host"], code
    assert code[1]["guest"][0].startswith("jne 0x"), code
    function = summary["functions"][0]
    assert function["name"] == "hot" and not function["user"], function
    shares = {row["name"]: row["ns"] for row in summary["shares"]}
    assert shares["kernel code"] > 0.9 * function["self_ns"] and shares["user code"] == 0, shares
    # entry has no frame of its own: hot's caller is found by hot's frame.
    kernel = [n for n in summary["stacks"]["children"] if n["name"] == "[kernel]"][0]
    entry = [n for n in kernel["children"] if n["name"] == "entry"][0]
    called = [n for n in entry["children"] if not n["name"].startswith("[")]
    assert [n["name"] for n in called] == ["hot"], entry
    # In brackets: what the monitor did for entry itself, such as a sample that found the translator at work.
    assert called[0]["ns"] > 0.9 * entry["ns"], entry


def check_exact(summary):
    counted = block(summary, "counted")
    counters = summary["counters"]
    # Who is stopped at a block's beginning by a host timer enters it again.
    again = range(counters["async_exits"] + 1)
    assert counted["entries"] - CALLS in again, counted
    assert [insn["guest"] for insn in counted["code"]] == [["inc edx"], ["ret"]], counted
    assert summary["blocks"][0]["entries"] - ITERATIONS in again, (summary["blocks"][0], again)
    kinds = {row["name"]: row for row in summary["cache"]["kinds"]}
    assert kinds["return (table)"]["entries"] >= CALLS, kinds
    assert kinds["linked"]["entries"] >= ITERATIONS, kinds
    assert summary["cache"]["entries"] >= ITERATIONS + 2 * CALLS
    assert summary["cache"]["hit_rate"] > 0.9999, summary["cache"]


class Page(html.parser.HTMLParser):
    """Every element is closed, and nothing is fetched."""

    VOID = {"meta", "link", "br", "img"}

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            assert name not in ("src", "href", "srcset", "action", "data"), (tag, name, value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def check_page(folder):
    page = folder / "page.html"
    gnomon("report", folder, "--html", page, "--symbols", KERNEL)
    text = page.read_text()
    Page(text)
    for word in ("http://", "https://", "@import", "url(", "import("):
        assert word not in text, word
    data = json.loads(re.search(r'<script type="application/json" id="summary">(.*?)</script>', text, re.S).group(1))
    assert data["functions"][0]["name"] == "hot"


def main():
    with tempfile.TemporaryDirectory(prefix="gnomon-profile-") as name:
        folder = pathlib.Path(name)
        sampled = profile(folder / "sampled")
        check_hot(sampled)
        check_page(folder / "sampled")
        exact = profile(folder / "exact", "--profile-exact")
        check_exact(exact)
        # What --profile estimates is of the order of what --profile-exact counts; the loop leaves its block halfway.
        ratio = sampled["cache"]["entries"] / exact["cache"]["entries"]
        assert 0.4 < ratio < 2, ratio


if __name__ == "__main__":
    main()
