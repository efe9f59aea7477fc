"""Records as tables in one archive: they come out as they went in, to the last byte."""

import json
import shutil
import tarfile
from dataclasses import replace

import pytest

from colu.lab.results import read_record, results_root, write_record
from colu.lab.results.archive import ARCHIVE, TABLE, pack, unpack


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def members(archive):
    with tarfile.open(archive) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened}


@pytest.fixture
def source(tmp_path):
    """A few records with curves, of a protocol and without, of two schemas, and one that failed."""
    real, folder = results_root(), tmp_path / "source"
    for pattern in ("rotation/relu-*", "protocols/frame-digits-adamw-v1/colu-seed1*", "protocols/*.yml"):
        for path in real.glob(pattern):
            target = folder / path.relative_to(real)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    record = read_record(next(p for p in folder.glob("protocols/*/*.json") if ".curve" not in p.name))
    write_record(replace(record, status="failed", error="lost\tits way\n\u2028", metrics={}, curve=[]), folder)
    return folder


def there_and_back(source, tmp_path):
    (tmp_path / ARCHIVE).write_bytes(pack(source))
    unpacked = files(unpack(tmp_path / ARCHIVE, tmp_path / "unpacked"))
    return members(tmp_path / ARCHIVE), unpacked


def test_every_record_comes_out_of_the_table_as_it_was(source, tmp_path):
    before = files(source)
    packed, unpacked = there_and_back(source, tmp_path)
    assert unpacked == before
    assert {name for name in packed if name.endswith(".json")} == set(), "all of them fit a table"
    assert {f"rotation/{TABLE}", f"protocols/frame-digits-adamw-v1/{TABLE}"} <= set(packed)


def test_a_table_does_not_hold_what_follows_from_the_rest(source, tmp_path):
    packed, _ = there_and_back(source, tmp_path)
    table = packed[f"protocols/frame-digits-adamw-v1/{TABLE}"].decode()
    found = [p for p in source.glob("protocols/*/*.json") if ".curve" not in p.name]
    assert len(found) > 10
    for path in found:
        record = json.loads(path.read_text())
        for name in ("config_hash", "curve_sha256", "seal"):
            assert record[name][:10] not in table
        if record["status"] == "done":
            assert table.count(str(record["metrics"]["train_loss"])) == 1, "not of the metrics and again of the curve"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"seed": 1', '"seed":  1', 1),
        lambda text: text.replace('"seconds": ', '"seconds": 0.0e0, "seconds": ', 1),
        lambda text: text.replace('"load": ', '"load": NaN, "more": ', 1),
        lambda text: text[:-20],
        lambda text: f"[{text}]",
        lambda text: '{"config_hash": 3}',
        lambda text: text.replace('"status": "done"', '"status": {}'),
        lambda text: text.replace('"seal": "', '"seal": "0'),
    ],
)
def test_a_file_that_is_no_record_of_ours_comes_out_as_it_was(spoil, source, tmp_path):
    path = sorted(p for p in source.glob("protocols/*/*.json") if ".curve" not in p.name)[0]
    spoiled = spoil(path.read_text())
    assert spoiled != path.read_text()
    path.write_text(spoiled)
    before = files(source)
    assert there_and_back(source, tmp_path)[1] == before


def test_a_curve_without_its_record_and_a_record_without_its_curve_come_out(source, tmp_path):
    first, second, *_ = sorted(source.glob("rotation/*.curve.json"))
    first.unlink()
    second.with_name(second.name.replace(".curve", "")).unlink()
    before = files(source)
    assert there_and_back(source, tmp_path)[1] == before


def test_records_lie_beside_no_folder_too(source, tmp_path):
    for path in source.glob("rotation/*.json"):
        path.rename(source / path.name)
    before = files(source)
    packed, unpacked = there_and_back(source, tmp_path)
    assert TABLE in packed and unpacked == before
