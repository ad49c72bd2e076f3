"""What chapters show: a picture with words, and a table, in a notebook, in a terminal and by ear."""

from __future__ import annotations

import base64
import html
import math
import numbers
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff][\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]*")
MISSING = "–"


def picture(
    png: bytes, alt: str, caption: str | None = None, *, photo: bool = False, size: tuple[int, int] | None = None
) -> None:
    """Display a picture with words, as one piece of HTML that JupyterLab, a static page and GitHub show alike.

    Parameters
    ----------
    png : bytes
        The picture.
    alt : str
        What a person who cannot see it needs to know.
    caption : str, optional
        What everybody reads below it. Without one, `alt` stands there, and is not said a second time.
    photo : bool
        Whether it is a picture of something, whose colours stay as they are in a dark theme.
    size : (width, height), optional
        CSS pixels.

    Raises
    ------
    ValueError
        If `alt` is empty, or says the same as the caption.
    """
    if not alt.strip():
        raise ValueError("Say in one sentence what the figure shows: plots.show(fig, alt='…').")
    if caption is not None and caption.strip() in ("", alt.strip()):
        raise ValueError("A caption says something other than `alt`; without one, `alt` stands below the figure.")
    spoken = "Figure, described below." if caption is None else alt
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    measures = f' width="{size[0]}" height="{size[1]}"' if size else ""
    show(
        f'<figure class="hx-figure{" hx-photo" if photo else ""}">'
        f'<img alt="{html.escape(spoken)}"{measures} src="{source}">'
        f"<figcaption>{text_html(alt if caption is None else caption)}</figcaption></figure>",
        alt if caption is None else f"{alt}\n{caption}",
    )


def table(
    rows: pd.DataFrame | Sequence[Mapping[str, Any]], caption: str, formats: str | Mapping[str, str] | None = None
) -> None:
    """Display a table: numbers to the right, a heading for each row and column, and plain text for a terminal.

    Parameters
    ----------
    rows : DataFrame or sequence of mappings
        A DataFrame, or a mapping for each row with the same keys. Rows are named by the index of a DataFrame if it has names,
        otherwise by the first column.
    caption : str
        What the table shows, in a sentence.
    formats : str or mapping, optional
        How numbers are written (``".2f"``, ``".0%"``): one for all that are no whole numbers, or by column. Without one,
        whole numbers are written as ``1,234``, others with three decimals.

    Raises
    ------
    ValueError
        If there are no rows, rows differ in their keys, a format names no column, or the caption is empty.
    """
    if not caption.strip():
        raise ValueError("Say in a sentence what the table shows: table(rows, caption='…').")
    names, cells = _columns(rows)
    by_column = formats if isinstance(formats, Mapping) else {}
    if unknown := set(by_column) - set(names):
        raise ValueError(f"A format names no column of this table: {', '.join(map(repr, sorted(unknown)))}.")
    common = formats if isinstance(formats, str) else None
    columns = list(zip(*cells, strict=True))
    texts = [
        [_text(value, by_column.get(name, common), name in by_column) for value in column]
        for name, column in zip(names, columns, strict=True)
    ]
    right = [any(map(_is_number, column)) and all(_is_number(v) or _lacks(v) for v in column) for column in columns]
    show(_as_html(names, texts, right, caption), _as_text(names, texts, right, caption))


def show(page: str, text: str) -> None:
    """Display HTML whose plain text is `text`; where there is no notebook, print the text."""
    from IPython import get_ipython

    if get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    display({"text/html": page, "text/plain": text}, raw=True)


def text_html(text: str) -> str:
    """Return a text as HTML in which Chinese is marked as such, so that it is read aloud and drawn in Chinese."""
    return _CHINESE.sub(lambda found: f'<span lang="zh">{found[0]}</span>', html.escape(text))


def columns(text: str) -> int:
    """Return how many columns of a terminal, or of code, a text takes: a Chinese letter takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _columns(rows: Any) -> tuple[list[str], list[list[Any]]]:
    """Return names and cells, those that name the rows first."""
    if hasattr(rows, "to_dict") and hasattr(rows, "index"):  # a DataFrame, without importing pandas for lists
        if not hasattr(rows, "columns"):
            rows = rows.to_frame()
        if rows.index.nlevels > 1:
            rows = rows.reset_index()
        elif rows.index.dtype.kind not in "iu" or rows.index.name:
            rows = rows.rename_axis(rows.index.name or "").reset_index()
        names = [
            " · ".join(str(part) for part in name if part != "") if isinstance(name, tuple) else str(name)
            for name in rows.columns
        ]
        cells = [list(row) for row in rows.itertuples(index=False, name=None)]
    else:
        found = list(rows)
        names = [str(name) for name in found[0]] if found else []
        if any([str(name) for name in row] != names for row in found):
            raise ValueError("All rows of a table have the same keys, in the same order.")
        cells = [list(row.values()) for row in found]
    if not cells or not names:
        raise ValueError("A table has at least one row and one column.")
    return names, cells


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not _lacks(value)


def _lacks(value: Any) -> bool:
    return value is None or (isinstance(value, numbers.Real) and math.isnan(value)) or type(value).__name__ == "NAType"


def _text(value: Any, spec: str | None, own: bool) -> str:
    if _lacks(value):
        return MISSING
    if isinstance(value, bool) or type(value).__name__ == "bool":  # numpy's too
        return "yes" if value else "no"
    if not _is_number(value):
        return format(value, spec) if own and spec and not isinstance(value, str) else str(value)
    whole = isinstance(value, numbers.Integral)
    written = format(value, spec if spec and (own or not whole) else ",d" if whole else ",.3f")
    return written.replace("-", "−", 1) if written.startswith("-") else written


def _as_html(names: list[str], texts: list[list[str]], right: list[bool], caption: str) -> str:
    sides = [f' style="text-align: {"right" if one else "left"}"' for one in right]
    head = "".join(f'<th scope="col"{side}>{text_html(name)}</th>' for name, side in zip(names, sides, strict=True))
    body = "".join(
        "<tr>"
        + f'<th scope="row"{sides[0]}>{text_html(row[0])}</th>'
        + "".join(f"<td{side}>{text_html(text)}</td>" for text, side in zip(row[1:], sides[1:], strict=True))
        + "</tr>"
        for row in zip(*texts, strict=True)
    )
    return (
        f'<table class="hx-table"><caption>{text_html(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _as_text(names: list[str], texts: list[list[str]], right: list[bool], caption: str) -> str:
    widths = [max(map(columns, [name, *column])) for name, column in zip(names, texts, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = [
            " " * (width - columns(text)) + text if side else text + " " * (width - columns(text))
            for text, width, side in zip(row, widths, right, strict=True)
        ]
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * width for width in widths)
    return "\n".join([caption, line(names), rule, *(line(row) for row in zip(*texts, strict=True))])
