"""How text that came from elsewhere is shown on a terminal: whoever may publish must not steer the reader's screen."""


def printable(text: str) -> str:
    """The text with everything that is no visible character, or space, written as an escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
