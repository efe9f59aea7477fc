"""A figure without a description is found, unless nobody sees it."""

import nbformat

from colu.press.notebook import Notebook
from colu.press.site.figures import undescribed


def test_hidden_figure_needs_no_description():
    cell = {"id": "a", "cell_type": "code", "source": "", "metadata": {"tags": ["remove-output"]}}
    cell["outputs"] = [{"data": {"image/png": ""}}]
    book = Notebook("10-a", nbformat.from_dict({"cells": [cell]}))
    assert undescribed(book) == []
    book.cells[0].metadata["tags"] = []
    assert undescribed(book) == ["a"]
    book.cells[0].metadata["mystnb"] = {"image": {"alt": "a line"}}
    assert undescribed(book) == []
