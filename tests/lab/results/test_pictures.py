"""Pictures beside records: read as they were written, sealed, and none is missing or another's."""

import dataclasses
import json
import shutil

import pytest
import torch
from PIL import Image

from colu.lab.experiments import get_experiment, run_with_pictures
from colu.lab.results import (
    PICTURES,
    Pictures,
    RecordError,
    broken_records,
    find_pictures,
    find_records,
    read_pictures,
    results_root,
)
from colu.lab.results.pictures import SUMS, write_pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two short runs with pictures; of one arm, in two settings."""
    root = tmp_path_factory.mktemp("records")
    for latent in (2, 3):
        config = get_experiment("vae").config("smoke", "relu", 0, steps=2, evaluate_every=0, latent=latent)
        run_with_pictures(config, root)
    return root


@pytest.fixture
def root(made, tmp_path):
    shutil.copytree(made, tmp_path / "records")
    return tmp_path / "records"


def pngs(root):
    return sorted(root.glob(f"{PICTURES}/*/*.png"))


def test_levels_come_back_to_one_part_in_255(root, tmp_path):
    record = pngs(root)[0].with_suffix(".json")
    rows = {name: torch.rand(3, 1, 5, 7, generator=torch.Generator().manual_seed(0)) for name in ("a", "b")}
    pngs(root)[0].unlink()
    (root / PICTURES / SUMS).unlink()
    path = write_pictures(Pictures(rows=rows, facts={"n": 3}), record, root)
    found = read_pictures(path)
    assert list(found.rows) == ["a", "b"] and found.facts == {"n": 3} and found.record.stem == path.stem
    for name, row in rows.items():
        assert float((found[name] - row).abs().max()) <= 0.5 / 255 + 1e-6
    assert Image.open(path).size == (3 * 7, 2 * 5)


def test_runs_with_pictures_are_whole_and_count_in_no_table(root):
    assert len(pngs(root)) == 2 and broken_records(root) == []
    assert find_records("vae", root) == []


def test_a_run_is_found_by_its_options_and_two_of_one_arm_are_told_apart(root):
    (found,) = find_pictures("vae", root, latent=3).values()
    assert found.record.config["options"]["latent"] == 3
    with pytest.raises(ValueError, match="two runs of 'relu'"):
        find_pictures("vae", root)
    with pytest.raises(KeyError, match="no row 'dreamt'.*data"):
        found["dreamt"]


def test_a_second_time_nothing_is_made(root):
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    config = get_experiment("vae").config("smoke", "relu", 0, steps=2, evaluate_every=0, latent=2)
    run_with_pictures(config, root)
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_a_lost_and_an_added_picture_are_named(root):
    one, two = pngs(root)
    with Image.open(one) as image:
        text = image.info["colu"]
        image.point(lambda level: 255 - level).save(one)
    assert text
    assert [line.count(one.name) for line in broken_records(root)] == [1]
    two.unlink()
    assert sum("is gone" in line or "no picture beside" in line for line in broken_records(root)) == 2
    shutil.copy(one, two.with_name("other.png"))
    assert any("other.png" in line and "says nothing" in line for line in broken_records(root))


def test_a_picture_of_another_record_is_refused(root):
    one, two = pngs(root)
    shutil.copy(two, one)
    sums = root / PICTURES / SUMS
    digest = sums.read_text().splitlines()[1].split()[0]
    sums.write_text("".join(f"{digest}  vae/{path.name}\n" for path in (one, two)))
    with pytest.raises(RecordError, match="goes with another record"):
        read_pictures(one)


def test_a_record_that_was_changed_breaks_its_picture_too(root):
    path = pngs(root)[0].with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "peak_memory_bytes": 1}))
    assert any("changed after it was sealed" in line for line in broken_records(root))


def test_a_record_that_lost_its_pictures_is_not_taken_for_done(root):
    config = get_experiment("vae").config("smoke", "relu", 0, steps=2, evaluate_every=0, latent=2)
    (root / PICTURES / "vae" / f"{config.stem}.png").unlink()
    with pytest.raises(FileExistsError, match="has lost its pictures"):
        run_with_pictures(config, root)


@pytest.mark.parametrize("change", [{"processes": 2}, {"experiment": "rotation"}])
def test_what_makes_no_pictures_is_refused_before_it_runs(tmp_path, change):
    name = change.pop("experiment", "vae")
    arm = get_experiment(name).preset("smoke").arms[0]
    config = dataclasses.replace(get_experiment(name).config("smoke", arm, 0, steps=2, evaluate_every=0), **change)
    with pytest.raises(ValueError, match="pictures"):
        run_with_pictures(config, tmp_path)
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "rows", [{}, {"a": torch.zeros(1, 3, 2, 2)}, {"a": torch.full((1, 1, 2, 2), 1.5)}, {"a": torch.zeros(2, 2)}]
)
def test_rows_must_be_grey_pictures_of_one_shape(rows):
    with pytest.raises(ValueError, match="wanted one shape|outside"):
        Pictures(rows=rows)


def test_every_picture_of_the_project_is_small():
    # Half a page of noise does not compress: 31 kB of grain is the most there is.
    assert all(path.stat().st_size < 32_000 for path in pngs(results_root()))
