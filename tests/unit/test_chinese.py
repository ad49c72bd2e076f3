"""The Chinese README follows the English one: a piece whose English changed is named, and so is one that lost it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helix.course import chinese

ENGLISH = """# Title

Two lines
of one paragraph.

```bash
run     # a comment

more
```

<!-- map: made by `python3 kit.py readme` -->
| a |

| b |
<!-- end of map -->

- a list
- of two
"""


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("HELIX_ROOT", str(tmp_path))
    file = tmp_path / chinese.MEMORY
    file.parent.mkdir()

    def write(*pieces):
        file.write_text(
            "".join(f"[[piece]]\nenglish = '{key}'\nchinese = '''\n{text}\n'''\n" for key, text in pieces), "utf-8"
        )
        chinese._memory.cache_clear()

    write()
    return write


def test_a_readme_is_split_into_its_pieces():
    assert list(chinese.pieces(ENGLISH)) == [
        ("text", "# Title"),
        ("text", "Two lines\nof one paragraph."),
        ("code", "```bash\nrun     # a comment\n\nmore\n```"),
        ("map", "<!-- map: made by `python3 kit.py readme` -->\n| a |\n\n| b |\n<!-- end of map -->"),
        ("text", "- a list\n- of two"),
    ]


def test_what_is_translated_carries_the_hash_of_its_english(memory):
    key = chinese.key_of("# Title")
    memory((key, "# 标题"))
    made = chinese.readme(ENGLISH, {"map": "| 甲 |"}, chinese.translator())
    assert made.startswith(f"<!-- {key} -->\n# 标题\n\n<!-- ")
    assert "\n\n| 甲 |\n\n" in made


def test_the_gate_names_what_is_stale(memory):
    pieces = [piece for kind, piece in chinese.pieces(ENGLISH) if kind != "map"]
    whole = [(chinese.key_of(piece), f"译文 {number}") for number, piece in enumerate(pieces)]
    memory(*whole)

    def lacks(english):
        translate = chinese.translator()
        chinese.readme(english, {"map": ""}, translate)
        return chinese.lacks(translate)

    assert lacks(ENGLISH) == []
    missing, orphan = lacks(ENGLISH.replace("one paragraph", "a paragraph"))
    assert 'no Chinese for "Two lines of a paragraph."' in missing
    assert chinese.key_of("Two lines of a paragraph.") in missing
    assert f'"译文 1" ({whole[1][0]}) has changed or is gone' in orphan


@given(st.lists(st.text("ab,", min_size=1), min_size=1), st.sampled_from([" ", "\n", "\n  "]))
def test_the_hash_is_of_words_not_of_lines(words, gap):
    assert chinese.key_of(gap.join(words)) == chinese.key_of(" ".join(words))
    assert chinese.key_of(" ".join([*words, "more"])) != chinese.key_of(" ".join(words))


@pytest.mark.parametrize(
    "text",
    ["[[piece", "[[piece]]\nenglish = 'a'", "[[piece]]\nenglish = 'a'\nchinese = 3", "piece = 3", "piece = [3]"],
)
def test_a_broken_memory_is_one_sentence(memory, tmp_path, text):
    (tmp_path / chinese.MEMORY).write_text(text)
    chinese._memory.cache_clear()
    with pytest.raises(chinese.StaleTranslation, match=r"cannot be read .*\[\[piece\]\]"):
        chinese.translator()


def test_two_translations_of_one_piece_are_refused(memory):
    memory(("aa", "一"), ("aa", "二"))
    with pytest.raises(chinese.StaleTranslation, match="more than one piece for aa"):
        chinese.translator()
