#!/usr/bin/env python3
"""Opens HTML reports in a real browser and checks them: console, network, overflow, contrast, keyboard, print. Saves screenshots.

    tests/html/check.py [--shots DIR] report.html …

Needs chromium and chromedriver; nothing else. Exits with 1 where anything fails.
"""

import argparse
import base64
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

WIDTHS = [1280, 390]
THEMES = ["light", "dark"]
MOST_TABS = 260
MOST_HEIGHT = 3600

# Runs in the page. Returns what is wrong, as sentences.
CHECKS = r"""
const open = arguments[0], wrong = [], seen = new Set();
const say = (text) => { if (!seen.has(text) && seen.size < 60) { seen.add(text); wrong.push(text); } };
if (open) document.querySelectorAll('details').forEach(d => d.open = true);
const page = document.documentElement;
if (page.scrollWidth > innerWidth) say(`the page is ${page.scrollWidth} wide, the window ${innerWidth}`);

const parse = (text) => {
  const m = text.match(/[\d.]+/g);
  if (!m) return [0, 0, 0, 0];
  const n = m.map(Number);
  return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
};
const over = (top, below) => { const a = top[3]; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)).concat([1]); };
const light = (c) => {
  const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const ground = (el) => {
  const stack = [];
  for (let e = el; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > 0) stack.push(c);
    if (c[3] === 1) break;
  }
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  return stack.reverse().reduce((below, top) => over(top, below), canvas);
};
const pictures = new Map();
const shapesOf = (svg) => {
  if (!pictures.has(svg)) {
    const all = [...svg.querySelectorAll('rect,circle,path,text')].filter(e => !e.closest('pattern,symbol,defs'));
    pictures.set(svg, all.map(e => [e, e.getBoundingClientRect(), e.tagName === 'text' ? 'none' : getComputedStyle(e).fill]));
  }
  return pictures.get(svg);
};
const svgGround = (text, svg, rect) => {
  const x = (rect.left + rect.right) / 2, y = (rect.top + rect.bottom) / 2;
  let below = ground(svg), hatched = false;
  for (const [shape, r, fill] of shapesOf(svg)) {
    if (shape === text) break;
    if (fill === 'none' || r.left > x || r.right < x || r.top > y || r.bottom < y) continue;
    hatched = fill.startsWith('url');
    if (!hatched) below = over(parse(fill), below);
  }
  return [below, hatched];
};

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const range = document.createRange();
const inSvg = new Map();
let count = 0, least = 99;
const canvas = document.querySelector('.canvas svg');
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const text = node.data.trim();
  const el = node.parentElement;
  if (!text || !el || el.closest('title,symbol,defs,style,.skip') || !el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) continue;
  range.selectNodeContents(node);
  const rects = [...range.getClientRects()].filter(r => r.width > 0 && r.height > 0);
  if (!rects.length) continue;
  const style = getComputedStyle(el), svg = el.closest('svg');
  const name = `${el.tagName.toLowerCase()}.${el.getAttribute('class') || ''} “${text.slice(0, 40)}”`;
  let fore, below;
  if (svg) {
    const outer = svg.parentElement.closest('svg') || svg;
    const box = outer.getBoundingClientRect(), r = el.getBoundingClientRect();
    const [ground, hatched] = svgGround(el, outer, r);
    if (hatched) say(`${name} stands on hatching`);
    [fore, below] = [parse(style.fill), ground];
    // A tspan is a part of a text that is looked at as a whole.
    if (el.tagName === 'text') {
      if (r.left < box.left - 2 || r.right > box.right + 2 || r.top < box.top - 2 || r.bottom > box.bottom + 2)
        say(`${name} leaves its picture`);
      if (!inSvg.has(outer)) inSvg.set(outer, []);
      for (const [other, label] of inSvg.get(outer))
        if (r.left < other.right - 1 && other.left < r.right - 1 && r.top < other.bottom - 3 && other.top < r.bottom - 3)
          say(`${name} overlaps ${label}`);
      inSvg.get(outer).push([r, name]);
    }
  } else {
    [fore, below] = [parse(style.color), ground(el)];
    // A header that is only for screen readers is clipped on purpose.
    if (style.clipPath === 'none' && !el.closest('.scroll') && !el.closest('thead'))
      for (const r of rects) if (r.left < -1 || r.right > innerWidth + 1) say(`${name} leaves the window`);
    const coat = canvas && canvas.getBoundingClientRect();
    if (coat) for (const r of rects)
      if (r.left < coat.right && coat.left < r.right && r.top < coat.bottom && coat.top < r.bottom) say(`${name} stands on the painting`);
  }
  const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && parseInt(style.fontWeight) >= 700;
  const ratio = contrast(over(fore, below), below);
  least = Math.min(least, ratio);
  count++;
  if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}: ${name}`);
}
for (const el of document.querySelectorAll('body *')) {
  if (el.closest('svg,thead') || !el.checkVisibility()) continue;
  const style = getComputedStyle(el);
  const clips = ['hidden', 'clip'].includes(style.overflowX);
  const scrolls = ['auto', 'scroll'].includes(style.overflowX);
  const wide = el.scrollWidth > el.clientWidth + 1 && style.display !== 'inline';
  const label = `${el.tagName.toLowerCase()}.${el.className} “${el.textContent.trim().slice(0, 40)}”`;
  if (clips && wide) say(`${label} is clipped`);
  if (scrolls && wide && el.tabIndex < 0) say(`${label} scrolls, and the keyboard cannot`);
  if (!clips && !scrolls && wide && el.clientWidth > 0 && !el.closest('.scroll')) say(`${label} overflows its box: ${el.scrollWidth} > ${el.clientWidth}`);
}
return { wrong, count, least: Math.round(least * 100) / 100, height: page.scrollHeight };
"""

FOCUSABLE = r"""
return [...document.querySelectorAll('a[href],summary,[tabindex="0"]')].filter(e => e.checkVisibility({ contentVisibilityAuto: true })).length;
"""

FOCUSED = r"""
const e = document.activeElement;
if (!e || e === document.body) return null;
if (!window.order) window.order = [...document.querySelectorAll('a[href],summary,[tabindex="0"]')].filter(e => e.checkVisibility({ contentVisibilityAuto: true }));
const s = getComputedStyle(e), r = e.getBoundingClientRect();
return { at: window.order.indexOf(e), name: e.tagName + ' ' + e.textContent.trim().slice(0, 40), outline: s.outlineStyle !== 'none' ? parseFloat(s.outlineWidth) : 0,
  inside: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth };
"""

PRINTED = r"""
return [...document.querySelectorAll('details:not([open])')].filter(d => {
  const inner = [...d.children].find(c => c.tagName !== 'SUMMARY');
  return inner && inner.getBoundingClientRect().height < 4;
}).length;
"""


class Browser:
    """A headless Chromium behind chromedriver."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.profile = tempfile.TemporaryDirectory(prefix="pentimento-html-")
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
        options = {"args": flags.split() + [f"--user-data-dir={self.profile.name}"]}
        logs = {"browser": "ALL", "performance": "ALL"}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
        for _ in range(100):
            try:
                self.session = "/session/" + self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
                self.call("POST", self.session + "/timeouts", {"script": 290_000})
                return
            except urllib.error.URLError:
                time.sleep(0.1)
        sys.exit("chromedriver does not answer")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode(errors="replace")[:600]) from error

    def post(self, path, body):
        return self.call("POST", self.session + path, body)

    def cdp(self, command, **params):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script, *args):
        return self.post("/execute/sync", {"script": script, "args": list(args)})

    def log(self, kind):
        return self.post("/se/log", {"type": kind})

    def close(self):
        try:
            self.call("DELETE", self.session)
        except (RuntimeError, urllib.error.URLError):
            pass
        self.driver.terminate()
        self.driver.wait()
        self.profile.cleanup()


def requests_of(browser):
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


def emulate(browser, width, theme, media=""):
    browser.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
    browser.cdp("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": theme}])


def shot(browser, path, width, height):
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, MOST_HEIGHT), "scale": 1}
    image = browser.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    path.write_bytes(base64.b64decode(image["data"]))


def keyboard(browser):
    """Tab goes to everything that can be used, in the order of the page, and one sees where one is."""
    wrong = []
    expected = browser.run(FOCUSABLE)
    browser.run("window.scrollTo(0,0); document.activeElement.blur();")
    reached, last = set(), -1
    for _ in range(min(expected, MOST_TABS)):
        for kind in ("keyDown", "keyUp"):
            browser.cdp("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        now = browser.run(FOCUSED)
        if now is None:
            wrong.append(f"Tab leaves the page after {len(reached)} of {expected}")
            break
        if now["at"] < last:
            wrong.append(f"Tab goes back, to {now['name']}")
        if now["outline"] < 2:
            wrong.append(f"no visible focus on {now['name']}")
        if not now["inside"]:
            wrong.append(f"out of sight with the focus: {now['name']}")
        last = now["at"]
        reached.add(now["at"])
    if len(reached) < min(expected, MOST_TABS):
        wrong.append(f"Tab reaches {len(reached)} of {expected}")
    return wrong[:10], len(reached), expected


def check(browser, path, shots):
    failures = 0
    url = path.resolve().as_uri()
    for width in WIDTHS:
        for theme in THEMES:
            wrong = []
            emulate(browser, width, theme)
            browser.log("browser"), browser.log("performance")
            browser.post("/url", {"url": url})
            other = [u for u in requests_of(browser) if u != url]
            wrong += [f"requests {u}" for u in other]
            closed = browser.run(CHECKS, False)
            if shots:
                shot(browser, shots / f"{path.stem}-{width}-{theme}.png", width, closed["height"])
            keys = ""
            if theme == "light":
                missing, reached, expected = keyboard(browser)
                wrong += missing
                keys = f", Tab reaches {reached} of {expected}" + (" (no more were tried)" if expected > MOST_TABS else "")
            opened = browser.run(CHECKS, True)
            wrong += closed["wrong"] + [text for text in opened["wrong"] if text not in closed["wrong"]]
            wrong += [f"console: {e['level']} {e['message']}" for e in browser.log("browser")]
            print(f"{path.name} {width} {theme}: {opened['count']} texts, least contrast {opened['least']}{keys}, {len(wrong)} failures")
            for text in wrong[:12]:
                print("   ", text)
            if len(wrong) > 12:
                print(f"    and {len(wrong) - 12} more")
            failures += len(wrong)
    emulate(browser, 1280, "light", "print")
    browser.post("/url", {"url": url})
    folded = browser.run(PRINTED)
    if folded:
        print(f"    {path.name}: {folded} details are not printed")
        failures += 1
    emulate(browser, 1280, "light")
    pdf = base64.b64decode(browser.cdp("Page.printToPDF", printBackground=True)["data"])
    if shots:
        (shots / f"{path.stem}.pdf").write_bytes(pdf)
    print(f"{path.name} print: {len(pdf)} bytes, {pdf.count(b'/Type /Page') - pdf.count(b'/Type /Pages')} pages; page {path.stat().st_size} bytes")
    if path.stat().st_size > 1_000_000:
        print("    larger than 1 MB")
        failures += 1
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shots", type=pathlib.Path, help="where screenshots go")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    if args.shots:
        args.shots.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    try:
        failures = sum(check(browser, path, args.shots) for path in args.files)
    finally:
        browser.close()
    print(f"{failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
