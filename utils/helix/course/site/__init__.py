"""``python3 kit.py site``: the built pages as a static web site, to read without installing anything.

Nothing is executed again, and no page asks another host for anything: formulas are MathML, figures and styles lie in the pages.
"""

from __future__ import annotations

from helix.course.site.pages import lacks, main, write

__all__ = ["lacks", "main", "write"]
