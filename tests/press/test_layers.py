"""Which cells of a chapter explain, and which serve."""

import nbformat
import pytest

from colu.press.layers import CHECK, FIGURE, HELP, LAYERS, LIVE, NUMBERS, OPEN, SETUP, TABLE, layer_of
from colu.press.notebook import Notebook

PICTURE = {"output_type": "display_data", "data": {"image/png": "x"}, "metadata": {}}
MARKDOWN = {"output_type": "display_data", "data": {"text/markdown": "| a |"}, "metadata": {}}


def layers(*cells):
    """The layers of the code cells of a notebook; a text is prose if it begins with a number sign."""
    made = []
    for cell in cells:
        text, outputs, tags = (cell, [], []) if isinstance(cell, str) else cell
        if text.startswith("#"):
            made.append(nbformat.v4.new_markdown_cell(text))
        else:
            made.append(nbformat.v4.new_code_cell(text, outputs=outputs, metadata={"tags": tags}))
    notebook = Notebook("12-a", nbformat.v4.new_notebook(cells=made))
    return [layer_of(notebook, cell) for cell in notebook.cells if cell.kind == "code"]


def test_what_stands_before_the_first_section_is_set_up_but_not_its_figure():
    assert layers("# A", "import torch", ("plot()", [PICTURE], []), "x = 1", "# B\n\n## C", "y = 1") == [
        SETUP,
        FIGURE,
        SETUP,
        OPEN,
    ]


@pytest.mark.parametrize(
    ("source", "outputs", "layer"),
    [
        ("def f(x):\n    return x", [], OPEN),
        ("plt.show()", [PICTURE], FIGURE),
        ("display(table)", [MARKDOWN], TABLE),
        ("claims.check('a', 1)", [], CHECK),
        ("claims.check('a', 1)\nplt.show()", [PICTURE], CHECK),
        ("for k in d:\n    claims.glue(k, d[k])", [], NUMBERS),
        ("def f(x):\n    return x\n\nclaims.glue('a', f(1))", [], OPEN),
        ("%timeit x", [], OPEN),
        ("print(1)", [{"output_type": "stream", "name": "stdout", "text": "1"}], OPEN),
    ],
)
def test_a_cell_of_a_section_is_layered_by_what_it_does(source, outputs, layer):
    assert layers("# A\n\n## B", (source, outputs, [])) == [layer]


@pytest.mark.parametrize("source", ["claims.check('a', 1)", "plt.show()", "claims.glue('a', 1)"])
def test_a_cell_tagged_open_is_open_whatever_it_does(source):
    assert layers("# A", (source, [PICTURE], ["open"])) == [OPEN]


def test_a_cell_tagged_serves_is_folded_unless_it_checks():
    serves = ("def f(x):\n    return x", [], ["serves"])
    assert layers("# A\n\n## B", serves, ("claims.check('a', 1)", [], ["serves"])) == [HELP, CHECK]


@pytest.mark.parametrize("source", ["train()", "plt.show()"])
def test_a_live_run_folds_whatever_it_shows_unless_it_checks(source):
    assert layers("# A\n\n## B", (source, [PICTURE], ["live"])) == [LIVE]
    assert layers("# A\n\n## B", (f"{source}\nclaims.check('a', 1)", [PICTURE], ["live"])) == [CHECK]


def test_every_folded_layer_has_its_line():
    assert all(LAYERS.values()) and OPEN not in LAYERS
