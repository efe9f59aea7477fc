"""Tables of rows: each value as it is to be read, and no row that does not fit."""

import pytest

from colu.lab.results import paired_difference, show, summarise, table_text


def test_each_kind_of_value_has_its_form():
    gap = paired_difference([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    row = {"name": "*CoLU*", "k": 4, "share": 0.125, "mean": summarise([1.0, 2.0, 3.0]), "gap": gap, "none": None}
    last = table_text([row], digits=1).splitlines()[-1]
    assert last == "| *CoLU* | 4 | 0.1 | 2.0 ± 2.5 | +2.0 ± 0.0 |  |"


def test_digits_may_differ_by_column():
    text = table_text([{"loss": 0.12345, "accuracy": 97.25}], digits={"loss": 3})
    assert text.splitlines()[-1] == "| 0.123 | 97.25 |"


def test_a_format_may_stand_for_digits():
    gap = paired_difference([3.0, 4.0, 5.0], [1.0, 2.0, 3.0])
    row = {"p": 0.000123, "share": 0.25, "lead": 0.5, "gap": gap, "name": "ReLU", "k": 3}
    wanted = "| 0.00012 | 25% | +0.50 | +2.0 ± 0.0 | ReLU | 3 |"
    formats = {"p": ".2g", "share": ".0%", "lead": "+.2f", "gap": "+.1f", "name": ".0f", "k": ".1f"}
    assert table_text([row], digits=formats).splitlines()[-1] == wanted
    assert table_text([{"gap": gap}], digits=".1f").splitlines()[-1] == "| +2.0 ± 0.0 |"


def test_the_number_of_values_is_said_if_asked_for():
    rows = [{"loss": summarise([1.0, 2.0, 3.0])}]
    assert "(n = 3)" in table_text(rows, counts=True)
    assert "n =" not in table_text(rows)


def test_numbers_of_numpy_and_torch_are_numbers():
    import numpy as np

    assert table_text([{"a": np.float32(0.5), "b": np.int64(3)}], digits=1).endswith("| 0.5 | 3 |")


def test_there_is_one_line_a_row_below_the_head():
    lines = table_text([{"a": "x", "b": "y"}, {"a": "z", "b": "w"}]).splitlines()
    assert lines == ["| a | b |", "|---|---|", "| x | y |", "| z | w |"]


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="no row"):
        table_text([])
    with pytest.raises(ValueError, match="the first has"):
        table_text([{"a": 1}, {"b": 1}])
    with pytest.raises(ValueError, match="digits are given for"):
        table_text([{"a": 1}], digits={"b": 1})


def test_a_notebook_shows_the_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    rows = [{"a": 1.0}]
    show(rows, digits=3)
    show(rows, above="Losses.")
    assert shown[0].data == table_text(rows, digits=3)
    assert shown[1].data == "Losses.\n\n" + table_text(rows)
