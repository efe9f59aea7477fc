"""The front door of the laboratory: cheap to open, and every name behind it."""

import subprocess
import sys

import pytest

import colu.lab
from colu.lab import experiments, machine, models, plot, results, training

FOLDERS = (experiments, machine, models, plot, results, training)


def test_opening_loads_nothing_heavy():
    code = "import sys, colu.lab; assert not {'torch', 'matplotlib', 'pydantic', 'scipy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_importing_experiments_takes_neither_dask_nor_lightning():
    code = "import sys, colu.lab.experiments; assert not {'distributed', 'lightning_fabric'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", colu.lab.__all__)
def test_every_name_is_there_and_public_in_its_folder(name):
    home = next(folder for folder in FOLDERS if name in folder.__all__)
    assert getattr(colu.lab, name) is getattr(home, name)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="'paired'.*paired_difference"):
        _ = colu.lab.paired
