"""Takes the pictures of the documents from the running demonstration, in a real browser.

`caretaker demo` in one terminal; when it has been live for a minute, in another:
`.venv/bin/python docs/screenshots.py http://127.0.0.1:8420`. Needs Debian's `chromium` and `fonts-noto-cjk`.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
# name, path, language, colour scheme, width and height in CSS pixels
SHOTS = (
    ("board-en", "/", "en", "light", 1440, 900),
    ("board-zh-dark", "/", "zh", "dark", 1440, 900),
    ("board-zh-phone", "/", "zh", "light", 390, 844),
    ("asset-en", "/assets/fridge-1?range=24h", "en", "light", 1440, 900),
)


def main(base: str) -> int:
    """Write every picture; 1 when a page complained in the browser's console."""
    IMAGES.mkdir(exist_ok=True)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, path, language, scheme, width, height in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.goto(f"{base}{path}{'&' if '?' in path else '?'}lang={language}")
            page.wait_for_timeout(2000)
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()
    for complaint in complaints:
        sys.stderr.write(f"{complaint}\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8420"))
