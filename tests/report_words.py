"""What people read of a report or a terminal table, as one line of words."""

from __future__ import annotations

import io
import re
from html import unescape

from rich.console import Console, RenderableType


def page_words(page: str) -> str:
    body = page.partition("<body>")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def printed(table: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(table)
    return " ".join(out.getvalue().split())
