"""The site holds every page, asks nobody for anything, and its links lead somewhere."""

from __future__ import annotations

import json
import re

import pytest

from helix.course import catalogue, cli, site
from helix.course.site import render


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "site"
    return folder, site.write(folder)


def test_every_written_lesson_has_its_three_pages(written):
    folder, pages = written
    places = {page.place for page in pages}
    for chapter in catalogue.load().written():
        for place in ("notebooks/{}", "labs/{}_lab", "solutions/{}_solution"):
            assert place.format(chapter.name) + ".html" in places
    assert {"index.html", "claims.html", "README.zh.html"} <= places
    assert all((folder / place).is_file() for place in places)


def test_links_lead_somewhere_and_no_page_asks_another_host(written):
    assert site.lacks(written[0]) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<main", '<a href="nowhere.html">x</a><main', "links to nowhere.html, which is not there"),
        ("<main", '<a href="#nowhere">x</a><main', "there is no such place"),
        ("<main", '<img alt="" src="https://example.org/a.png"><main', "asks another host"),
        ("<main", '<script src="//example.org/a.js"></script><main', "asks another host"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(written, old, new, says):
    file = written[0] / "claims.html"
    before = file.read_text("utf-8")
    file.write_text(before.replace(old, new, 1), "utf-8")
    try:
        (found,) = site.lacks(written[0])
        assert says in found
    finally:
        file.write_text(before, "utf-8")


def test_readers_go_from_page_to_page(written):
    folder, _ = written
    html = (folder / "notebooks/12_fairness_audit.html").read_text("utf-8")
    assert 'rel="prev" href="../solutions/11_tensor_parallel_solution.html"' in html
    assert 'rel="next" href="../labs/12_fairness_audit_lab.html"' in html


def test_outputs_are_there_without_a_run_and_formulas_without_a_script(written):
    folder, _ = written
    html = (folder / "notebooks/09_data_parallel.html").read_text("utf-8")
    assert html.count("data:image/png") >= 3
    assert "<math" in html
    assert "$$" not in re.sub(r"<pre.*?</pre>", "", html, flags=re.DOTALL)
    assert not re.search(r"<script(?! src=)", html)


def test_the_search_knows_every_heading(written):
    folder, _ = written
    text = (folder / "words.js").read_text("utf-8")
    words = json.loads(text.removeprefix("window.helixWords = ").removesuffix(";\n"))
    found = {one["title"] for one in words if one["place"] == "notebooks/12_fairness_audit.html"}
    assert "The claim" in found
    for one in words:
        if one["id"]:
            assert f'id="{one["id"]}"' in (folder / one["place"]).read_text("utf-8")


def test_a_new_site_replaces_the_old_one_and_nothing_else(tmp_path, monkeypatch, capsys):
    from helix.course.site import pages

    monkeypatch.setattr(pages, "_ordered", lambda: [pages.Page("Start", "CONTRIBUTING.md", "index.html")])
    monkeypatch.setattr(pages, "_beside", list)
    monkeypatch.setattr(pages, "_linked", lambda source: None)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("mine")
    with pytest.raises(SystemExit, match="holds something else than a site"):
        cli.main(["site", str(mine)])
    assert [file.name for file in mine.iterdir()] == ["letter.txt"]
    for _ in range(2):
        assert cli.main(["site", str(tmp_path / "site")]) == 0
        assert "1 pages in" in capsys.readouterr().out
    (tmp_path / "site" / "index.html").write_text("old")
    cli.main(["site", str(tmp_path / "site")])
    assert "<main" in (tmp_path / "site" / "index.html").read_text("utf-8")
    assert not (tmp_path / "site.part").exists()


def test_sections_are_what_a_reader_sees():
    body = "<p>before</p><h2 id='a'>One <code>x</code></h2><p>par<b>ts</b></p><p>more</p><style>no</style><h3>Two</h3>"
    assert render.sections(body) == [
        {"id": "", "title": "", "text": "before"},
        {"id": "a", "title": "One x", "text": "parts more"},
        {"id": "", "title": "Two", "text": ""},
    ]


def test_a_formula_becomes_mathml():
    html = render.markdown("Let $a<b$.\n\n$$\\frac{1}{n}$$\n")
    assert html.count("<math") == 2
    assert "<mfrac>" in html
    assert "$" not in html


def test_code_that_only_draws_is_folded(tmp_path):
    import nbformat

    cells = [nbformat.v4.new_code_cell("seen = 1"), nbformat.v4.new_code_cell("drawn = 1")]
    cells[1].metadata.tags = ["hide-input"]
    file = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), file)
    open_, folded = render.notebook(file).split('<details class="folded">')
    assert "seen" in open_
    assert "drawn" in folded
