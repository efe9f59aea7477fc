from docutils.core import publish_doctree

from colu.press.site.counts import say_once

RULE = "===== ============="
TABLE = f"{RULE}\narm   accuracy\n{RULE}\nReLU  {{0}}\nCoLU  {{1}}\n{RULE}\n\nAfter.\n"


def page(*cells):
    tree = publish_doctree(TABLE.format(*cells))
    say_once(None, tree)
    return tree.astext()


def test_what_all_cells_share_is_said_once_under_the_table():
    text = page("1 ± 2 (n = 5)", "3 ± 2 (n = 5)")
    assert text.count("n = ") == 1 and "3 ± 2\n" in text
    assert text.index("3 ± 2") < text.index("n = 5 in every cell.") < text.index("After.")


def test_what_differs_stays_in_the_cells():
    assert page("1 ± 2 (n = 5)", "3 ± 2 (n = 4)").count("(n = ") == 2


def test_a_table_without_counts_stays():
    assert "every cell" not in page("1", "2")
