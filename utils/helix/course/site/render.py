"""From Markdown and notebooks to HTML bodies, with formulas as MathML, which browsers show by themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import latex2mathml.converter
import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter


class _Renderer(IPythonRenderer):
    """Markdown whose formulas need no script."""

    def block_math(self, body: str) -> str:
        return f'<div class="wide">{latex2mathml.converter.convert(body.strip(), display="block")}</div>'

    def inline_math(self, body: str) -> str:
        return latex2mathml.converter.convert(body.strip())


class _Exporter(HTMLExporter):
    """The body of a notebook's page."""

    def markdown2html(self, context: Any, source: str) -> str:
        return markdown(source)

    # nbconvert takes filters from here; the parent marks the method as needing the template's context.
    markdown2html.jinja_pass_arg = HTMLExporter.markdown2html.jinja_pass_arg  # type: ignore[attr-defined]


_FOLDED = """{%- extends "basic/index.html.j2" -%}
{%- block input -%}
{%- if "hide-input" in cell.metadata.get("tags", []) -%}
<details class="folded"><summary>The code behind this</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock input -%}
"""


def markdown(text: str) -> str:
    """Return Markdown as HTML, its headings with ids."""
    html = MarkdownWithMath(renderer=_Renderer(escape=False, anchor_link_text="")).render(text)
    return re.sub(r'<a class="anchor-link"[^>]*/>', "", str(html))


def notebook(file: Path) -> str:
    """Return the body of a notebook's page: its cells with their stored outputs; nothing is run."""
    exporter = _Exporter(raw_template=_FOLDED, exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(nbformat.read(file, as_version=4))
    return str(body)


def code_colours() -> str:
    """Return the style of code, light and dark."""

    def rules(style: str, scope: str) -> str:
        return str(HtmlFormatter(style=style).get_style_defs(f"{scope} .highlight"))

    # Two colours of the light style are too pale on our grey: below 4.5 to 1.
    light = (
        rules("default", ":root")
        + "\n:root .highlight :is(.c1, .cm) { color: #2f6363 }\n:root .highlight .ow { color: #7d17b8 }\n"
    )
    return light + rules("github-dark", ":root[data-theme=dark]")


_INLINE = {"a", "b", "code", "dfn", "em", "i", "small", "span", "strong", "sub", "sup"}  # between them words go on


class _Sections(HTMLParser):
    """Collects the visible text under each heading."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str, list[str]]] = [("", "", [])]
        self._hidden, self._heading = 0, False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script", "svg", "annotation"):
            self._hidden += 1
        elif tag in ("h1", "h2", "h3", "h4"):
            self._heading = True
            self.found.append((dict(attributes).get("id") or "", "", []))
        elif tag not in _INLINE:
            self.found[-1][2].append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "svg", "annotation"):
            self._hidden = max(0, self._hidden - 1)
        elif tag in ("h1", "h2", "h3", "h4"):
            self._heading = False

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        id, title, texts = self.found[-1]
        if self._heading:
            self.found[-1] = (id, title + data, texts)
        else:
            texts.append(data)


def sections(body: str) -> list[dict[str, str]]:
    """Return what a search looks through: for each heading of a page its id, title, and the text under it."""
    parser = _Sections()
    parser.feed(body)
    found = [
        {"id": id, "title": " ".join(title.split()), "text": " ".join("".join(texts).split())}
        for id, title, texts in parser.found
    ]
    return [one for one in found if one["title"] or one["text"]]
