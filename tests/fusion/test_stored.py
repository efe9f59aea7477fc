"""Weights in files: read entry by entry as safetensors reads them, written so, and pickles named but not opened."""

import json
import shlex
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from colu.fusion import StoredState, write_state
from colu.fusion.states import conversion

STATE = {
    "w": torch.arange(6.0).view(2, 3), "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7), "none": torch.zeros(0, 3), "mask": torch.tensor([True, False]),
}  # fmt: skip


def same(found, wanted):
    return list(found) == list(wanted) and all(
        torch.equal(found[name], wanted[name]) and found[name].dtype == wanted[name].dtype for name in wanted
    )


def test_what_one_writes_the_other_reads(tmp_path):
    write_state(tmp_path / "ours.safetensors", STATE, {"by": "hand"})
    assert all(torch.equal(load_file(tmp_path / "ours.safetensors")[name], t) for name, t in STATE.items())
    assert same(StoredState(tmp_path / "ours.safetensors"), STATE)
    assert StoredState(tmp_path / "ours.safetensors").metadata == {"by": "hand"}
    save_file(STATE, tmp_path / "theirs.safetensors", {"format": "pt"})
    found = StoredState(tmp_path / "theirs.safetensors")
    assert all(torch.equal(found[name], STATE[name]) for name in STATE) and found.metadata == {"format": "pt"}
    assert found.shapes["w"] == (2, 3) and found.dtypes["half"] == torch.bfloat16


def test_shards_are_one_state(tmp_path):
    names = list(STATE)
    places = {}
    for number, part in enumerate((names[:2], names[2:])):
        save_file({name: STATE[name] for name in part}, tmp_path / f"m-{number}.safetensors")
        places |= dict.fromkeys(part, f"m-{number}.safetensors")
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    found = StoredState(index)
    assert {name: found[name] for name in found}.keys() == STATE.keys() and set(found.digests()) == set(places.values())
    assert all(torch.equal(found[name], STATE[name]) for name in names)
    renamed = found.renamed({"other": "w"})
    assert list(renamed) == ["other"] and torch.equal(renamed["other"], STATE["w"])
    index.write_text("{}")
    with pytest.raises(ValueError, match="is no index of shards"):
        StoredState(index)


def test_entries_are_read_one_at_a_time(tmp_path):
    big = {str(k): torch.full((1000,), float(k)) for k in range(5)}
    write_state(tmp_path / "a.safetensors", big, {})
    state = StoredState(tmp_path / "a.safetensors")
    # The file is opened for each: what is written into it meanwhile is seen.
    with open(tmp_path / "a.safetensors", "r+b") as stream:
        stream.seek(-4, 2)
        stream.write(torch.tensor([9.0]).numpy().tobytes())
    assert state["4"][-1] == 9 and state["3"][-1] == 3


@pytest.mark.parametrize("length", [0x280, 0x380])
def test_a_header_whose_length_begins_as_a_pickle_does_is_read(tmp_path, length):
    path = tmp_path / "a.safetensors"
    for fill in range(length):
        save_file({"w": torch.ones(2)}, path, {"said": "x" * fill})
        if int.from_bytes(path.read_bytes()[:8], "little") == length:
            break
    assert path.read_bytes()[:2] in (b"\x80\x02", b"\x80\x03")
    assert torch.equal(StoredState(path)["w"], torch.ones(2))


def test_nothing_is_written_where_an_entry_is_not_finite(tmp_path):
    path = tmp_path / "a.safetensors"
    write_state(path, STATE, {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="w of the fused network holds NaN"):
        write_state(path, STATE | {"w": torch.full((2, 3), torch.nan)}, {})
    assert path.read_bytes() == before and [one.name for one in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.bin", "a.ckpt", "it's a.weird"])
@pytest.mark.parametrize("kind", ["state", "checkpoint", "tied", "old format"])
def test_a_pickle_is_named_with_the_command_that_converts_it(tmp_path, name, kind):
    state = {"weight": torch.arange(6.0).view(2, 3).T, "bias": torch.ones(2)}
    if kind == "tied":
        state["bias"] = state["weight"][0]
    saved = {"state_dict": state, "epoch": 3} if kind == "checkpoint" else state
    torch.save(saved, tmp_path / name, _use_new_zipfile_serialization=kind != "old format")
    with pytest.raises(ValueError, match="is a pickle, which may run code") as raised:
        StoredState(tmp_path / name)
    _, command = str(raised.value).split("\n")
    assert command == conversion(tmp_path / name) and "weights_only=True" in command
    python, option, code = shlex.split(command)
    assert (python, option) == ("python", "-c")
    if kind == "checkpoint" and name == "it's a.weird":
        # As a shell reads it, once: an interpreter with torch takes seconds.
        subprocess.run(["sh", "-c", command.replace("python", shlex.quote(sys.executable), 1)], check=True, timeout=600)
    else:
        exec(code, {})
    found = StoredState((tmp_path / name).with_suffix(".safetensors"))
    assert all(torch.equal(found[key], value) for key, value in state.items()) and len(found) == 2


def test_the_conversion_runs_no_code_of_the_pickle(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"weight": Evil()}, tmp_path / "a.pt")
    with pytest.raises(Exception, match="[Ww]eights.only"):
        exec(shlex.split(conversion(tmp_path / "a.pt"))[2], {})
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("cut", [0, 4, 20, -3], ids=["empty", "no header", "half a header", "half the data"])
def test_a_file_that_is_cut_off_is_named(tmp_path, cut):
    path = tmp_path / "a.safetensors"
    save_file({"weight": torch.ones(4)}, path)
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    size = len(data[:cut])
    with pytest.raises(ValueError, match=rf"a.safetensors \({size} bytes\) cannot be read .* cut off"):
        StoredState(path)
    path.write_bytes(data)
    assert torch.equal(StoredState(path)["weight"], load_file(path)["weight"])


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ValueError, match="none.safetensors cannot be read: No such file"):
        StoredState(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        StoredState(tmp_path)
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(ValueError, match="the ending .pt are pickles as a rule"):
        StoredState(tmp_path / "a.pt")
