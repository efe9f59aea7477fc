"""The facts of the atlas: no field is missing for any unit, and numbers are those of the package and the records."""

import json
import re
from pathlib import Path

import pytest

from colu.nn import create, gain, get_entry, list_activations
from colu.press.atlas import atlas_pages
from colu.press.notebook import Notebook
from colu.press.site.atlas_facts import VERSION, atlas_index, moments, moved_by, recorded, timed, unit_of_arm

ROOT = Path(__file__).resolve().parents[3]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
#: Of each unit in the index: what it may be. A field that goes or changes raises VERSION.
FIELDS = {
    "name": str, "title": str, "address": str, "aliases": list, "family": str, "kind": str, "formula": str,
    "citation": str, "notes": str, "unfit": str, "pointwise": bool, "mixes_positions": bool, "symmetry": str,
    "moved": str, "homogeneity": str, "lipschitz": (float, int, None), "lipschitz_all": (float, int, None),
    "learnable": bool, "parameters": str, "moments": dict, "cost": list, "results": list, "year": (int, None),
    "purpose": str, "smoothness": str, "monotone": (bool, None), "bounded": str, "gated": bool, "parts": dict,
    "wrong": list, "torch": str, "own": bool, "chapters": list, "relatives": dict,
}  # fmt: skip
#: These may be empty; an empty text of another field is a missing fact.
EMPTY = {"citation", "notes", "unfit", "symmetry"}


@pytest.fixture(scope="module")
def index():
    return json.loads(json.dumps(atlas_index(atlas_pages(ROOT)), allow_nan=False))


def _fits(value, kinds) -> bool:
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(value is None if kind is None else type(value) is kind for kind in kinds)


def test_the_index_says_what_it_is(index):
    assert set(index) == {"version", "licence", "source", "generated_from", "units"}
    assert index["version"] == VERSION and index["generated_from"]["package"] == "colu"
    package = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^license = "(.+)"', package, re.M)[1] == index["licence"]
    assert re.search(r'^version = "(.+)"', package, re.M)[1] == index["generated_from"]["version"]


def test_every_entry_of_the_registry_is_in_it_with_every_field(index):
    units = {unit["name"]: unit for unit in index["units"]}
    assert set(units) == {entry.name for entry in list_activations()}
    for name, unit in units.items():
        assert set(unit) == set(FIELDS), name
        for field, kinds in FIELDS.items():
            assert _fits(unit[field], kinds), (name, field, unit[field])
            assert field in EMPTY or unit[field] != "", (name, field)
        assert set(unit["moments"]) == {"channels", "gain", "mean", "second", "slope", "why"}
        missing = [key for key, value in unit["moments"].items() if value is None]
        assert bool(missing) == bool(unit["moments"]["why"]), (name, missing)


def test_a_missing_field_would_be_seen(index):
    unit = dict(index["units"][0])
    del unit["gated"]
    assert set(unit) != set(FIELDS)
    assert not _fits(None, FIELDS["purpose"]) and not _fits(True, FIELDS["year"])


def test_moments_are_those_of_the_package():
    relu = moments(get_entry("relu"))
    assert relu["gain"] == pytest.approx(2**0.5) and relu["second"] == pytest.approx(0.5)
    assert relu["mean"] == pytest.approx((2 * 3.141592653589793) ** -0.5) and relu["slope"] == pytest.approx(0.5)
    assert moments(get_entry("colu"))["gain"] == pytest.approx(gain("colu", 8))
    assert moments(get_entry("crelu"))["slope"] is None and "number of channels" in moments(get_entry("crelu"))["why"]
    assert moments(get_entry("hopfield"))["gain"] is None


def test_groups_are_sorted_into_few_kinds():
    kinds = {entry.name: moved_by(entry.symmetry(create(entry.name, 48), 48)) for entry in list_activations()}
    assert kinds["relu"] == "permutations and positive scales" and kinds["tanh"] == "permutations and signs"
    assert kinds["colu"] == "turns of a vector or section" and kinds["identity"] == "every linear map"
    assert len(set(kinds.values())) <= 9


def test_costs_name_their_record():
    for name in ("colu", "silu", "gelu", "relu"):
        assert {entry["device"] for entry in timed(name) if not entry["n"]} == {"cpu", "cuda"}
        for entry in timed(name):
            assert (ROOT / entry["record"]).exists() and entry["low"] <= entry["ratio"] <= entry["high"]
    assert timed("crelu") == []


def test_results_have_words_and_intervals():
    found = recorded("colu")
    assert {"arm", "baseline", "metric", "unit", "mean", "low", "high", "n", "protocol", "word"} <= set(found[0])
    assert any(each["protocol"] and each["word"] == "equal within the margin" for each in found)
    # What no protocol asked for carries no word.
    assert {each["word"] for each in found if not each["protocol"]} == {"exploratory"}
    assert all(each["low"] <= each["mean"] <= each["high"] and each["n"] >= 2 for each in found)
    keys = [(each["protocol"], each["arm"], each["baseline"], each["metric"], each["mean"]) for each in found]
    assert len(set(keys)) == len(keys)
    assert recorded("crelu") == [] and unit_of_arm("relu-linear") is None


def test_every_citation_is_in_the_bibliography():
    known = set(re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY.read_text(encoding="utf8"), re.M))
    cited = {entry.citation for entry in list_activations() if entry.citation}
    assert cited <= known, f"add {sorted(cited - known)} to book/references.bib"


def test_parameter_formula_agrees_with_the_modules():
    for entry in list_activations():
        for channels in (16, 48):
            module = entry.factory(channels) if entry.needs_channels else entry.factory()
            counted = sum(p.numel() for p in module.parameters())
            assert counted == entry.parameters(channels), entry.name


def test_every_registered_activation_has_its_place_in_a_chapter():
    chapters = [Notebook.read(path) for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    prose = "\n".join(cell.text for chapter in chapters for cell in chapter.cells if cell.kind == "markdown")

    def is_named(name):
        written = r"[-\s]?".join(map(re.escape, name.split("-")))
        return re.search(rf"(?<![\w-]){written}(?![\w-])", prose, re.IGNORECASE)

    assert [one.name for one in list_activations() if not any(map(is_named, (one.name, *one.aliases)))] == []
