"""A comparison that lacks a control is named with its chapter, and so is an exception that is needed no more."""

import json
from pathlib import Path

import pytest

from colu.lab.experiments import get_experiment, run
from colu.press.check.controls import Allowed, lint_controls, load_allowed
from colu.press.notebook import Notebook


def chapter(folder, *code, name="33-toy"):
    cells = [
        {"cell_type": "code", "id": str(i), "metadata": {}, "outputs": [], "execution_count": None, "source": text}
        for i, text in enumerate(code)
    ]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    return Notebook.read(path)


def live(folder, text, **options):
    return lint_controls([chapter(folder, text, **options)], folder, [])


@pytest.mark.parametrize("text", [
    'run_arms("mnist-mlp", arms=["relu", "colu"])',
    'ARMS = ("relu", "colu-3")\nrun_arms("mnist-mlp", arms=ARMS)',
    'S = {"smoke": dict(arms=("relu", "colu"))}\nrun = S["smoke"]\nrun_arms("mnist-mlp", arms=run["arms"])',
])  # fmt: skip
def test_a_small_run_without_controls_is_named(tmp_path, text):
    both = live(tmp_path, text)
    assert len(both) == 2 and all("33-toy.ipynb: a small run compares relu, colu" in line for line in both)
    assert "without rcolu" in both[0] and "without relu-linear" in both[1]
    for end in ('"colu"', '"colu-3"'):
        text = text.replace(end, f'{end}, "rcolu-3", "relu-linear"')
    assert live(tmp_path, text) == []


def test_chapters_that_compare_no_cones_or_are_no_comparison_are_left_alone(tmp_path):
    assert live(tmp_path, 'run_arms("mnist-mlp", arms=["relu", "gelu"])') == []
    assert live(tmp_path, '%magic\nrun_arms("mnist-mlp", arms=["relu", "colu"])', name="33-magic") == []
    assert live(tmp_path, 'run_arms("mnist-mlp", arms=["relu", "colu"])', name="21-other") == []


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    root = tmp_path_factory.mktemp("records")
    experiment = get_experiment("mnist-mlp")
    for config in experiment.configs("smoke", "relu,colu,relu-linear", range(3), steps=1, hidden=[8], evaluate_every=0):
        run(config, root, say=lambda _: None)
    for config in experiment.configs("smoke", "relu,colu", range(2), steps=2, hidden=[8], evaluate_every=0):
        run(config, root, say=lambda _: None)  # two seeds are no comparison
    return root


READS = 'find_records("mnist-mlp")'


def test_records_without_a_control_are_named_with_the_chapters_that_read_them(tmp_path, recorded):
    (line,) = lint_controls([chapter(tmp_path, READS)], recorded, [])
    assert "33-toy reads records of mnist-mlp (steps 1, learning_rate 0.001, dataset digits, hidden [8])" in line
    assert "that have colu and no rcolu" in line
    assert lint_controls([chapter(tmp_path, "find_records('gpt')")], recorded, []) == []


def test_an_exception_holds_for_what_it_names_alone(tmp_path, recorded):
    notebook = chapter(tmp_path, READS)
    right = Allowed(records="mnist-mlp", where={"options.hidden": [8]}, missing=["rcolu"], why="a toy")
    assert lint_controls([notebook], recorded, [right]) == []
    for wrong in ({"records": "gpt"}, {"where": {"options.hidden": [9]}}, {"missing": ["relu-linear"]}):
        fields = {"records": "mnist-mlp", "where": {}, "missing": ["rcolu"], "why": "a toy", **wrong}
        assert "no rcolu" in lint_controls([notebook], recorded, [Allowed(**fields)])[0]


def test_an_exception_that_nothing_needs_is_named(tmp_path, recorded):
    text = 'run_arms("mnist-mlp", arms=["relu", "colu", "rcolu", "relu-linear"])'
    idle = Allowed(chapter="33-toy", arms=["relu", "colu"], missing=["rcolu"], why="an exercise")
    found = lint_controls([chapter(tmp_path, text)], tmp_path, [idle])
    assert found == [
        "controls.yml lets 33-toy (an exercise) stand without rcolu, which is there or is compared no more: "
        "take the exception out"
    ]


def test_the_books_own_exceptions_say_why():
    assert all(len(allowed.why.split()) > 8 for allowed in load_allowed())
    assert all((allowed.chapter is None) != (allowed.records is None) for allowed in load_allowed())


def test_the_chapters_of_the_book_have_their_controls():
    notebooks = [Notebook.read(path) for path in sorted(Path("notebooks").glob("*.ipynb"))]
    assert len(notebooks) > 30 and lint_controls(notebooks, "results") == []
