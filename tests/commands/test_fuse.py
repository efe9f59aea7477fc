"""The command that fuses two networks: what it writes, and that it writes nothing where something is wrong."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from colu.cli import app
from colu.fusion import apply, trace_spec
from colu.lab.experiments import train_networks
from colu.lab.experiments.architectures import parse_architecture

ARCH = "mlp:64-32-10:colu"


@pytest.fixture(scope="module")
def pair():
    found = train_networks("colu", [0, 1], hidden=[32], steps=60)
    return [{name: t.detach().clone() for name, t in model.state_dict().items()} for model in found.models]


@pytest.fixture
def folder(tmp_path, pair):
    for name, state in zip("ab", pair, strict=True):
        save_file(state, tmp_path / f"{name}.safetensors")
    return tmp_path


def call(folder, *options, first="a", second="b", arch=ARCH):
    files = [str(folder / f"{name}.safetensors") for name in (first, second)]
    out = ["--out", str(folder / "fused.safetensors")]
    return CliRunner().invoke(app, ["fuse", *files, "--arch", arch, *out, *options])


def written(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith((".", "fused")))


def test_model_report_and_page(folder, pair):
    done = call(folder, "--data", "digits", "--lambdas", "5", "--repair", "cone")
    assert done.exit_code == 0, done.output
    assert written(folder) == ["fused.html", "fused.json", "fused.safetensors"]
    report = json.loads((folder / "fused.json").read_text())
    assert report["invariance_error"] < 1e-9
    assert report["metrics"]["keeps_the_parent"]
    assert report["metrics"]["aligned_alone"]["accuracy"] == report["metrics"]["parent_b"]["accuracy"]
    assert set(report["curves"]) == {"naive", "conic", "conic, repaired"}
    assert report["distrust"]
    page = (folder / "fused.html").read_text()
    assert "<svg" in page and "What to distrust" in page and "http" not in page.split("<svg")[0]
    fused = load_file(folder / "fused.safetensors")
    assert all(fused[name].shape == pair[0][name].shape for name in pair[0])


def test_two_frames_of_one_network_fuse_to_it(folder, pair):
    architecture = parse_architecture(ARCH)
    spec = trace_spec(architecture.model)
    moved = apply(spec, spec.random(3), pair[0])
    save_file({name: t.contiguous() for name, t in moved.items()}, folder / "b.safetensors")
    assert call(folder).exit_code == 0
    fused = load_file(folder / "fused.safetensors")
    assert all(torch.allclose(fused[name], pair[0][name], atol=1e-4) for name in fused)
    assert json.loads((folder / "fused.json").read_text())["metrics"] is None
    # Permutations of cones cannot undo rotations.
    assert call(folder, "--mode", "permutation", "--force").exit_code == 0
    fused = load_file(folder / "fused.safetensors")
    assert not all(torch.allclose(fused[name], pair[0][name], atol=1e-2) for name in fused)


@pytest.mark.parametrize(
    ("options", "arch", "message"),
    [
        ((), "mlp:64-16-10:colu", "1.weight is (32, 64), wanted (16, 64)"),
        ((), "mlp:64-32-32-10:colu", "lacks 5.weight"),
        ((), "mlp:64-32-10:relu", "no layer has cones to rotate; use --mode permutation"),
        ((), "resnet:8:8-16-16:colu:batch", "does not fit the architecture"),
        ((), "mlp:64-30-10:colu", "width 30 is not filled"),
        ((), "vgg:16", "of no known form"),
        ((), "mlp:64-32-10:coluu", "unknown arm"),
        ((), "missing.json", "is no record"),
        (("--mode", "naive"), ARCH, "mode is 'naive'"),
        (("--share", "2"), ARCH, "share is 2.0"),
        (("--repair", "cone"), ARCH, "name a set with --data"),
        (("--repair", "batchnorm", "--data", "digits"), ARCH, "no BatchNorm"),
        (("--repair", "all"), ARCH, "choose one of"),
        (("--data", "digits", "--lambdas", "2"), ARCH, "at least three"),
    ],
)
def test_bad_input_writes_nothing(folder, options, arch, message):
    done = call(folder, *options, arch=arch)
    assert done.exit_code == 2
    assert message in done.stderr
    assert written(folder) == []


def test_weights_that_are_not_finite(folder, pair):
    bad = {name: t.clone() for name, t in pair[1].items()}
    bad["1.bias"][3] = float("nan")
    save_file(bad, folder / "b.safetensors")
    done = call(folder)
    assert done.exit_code == 2 and "NaN or infinity in ['1.bias']" in done.stderr
    (folder / "b.safetensors").write_bytes(b"no tensors")
    assert "cannot be read as safetensors" in call(folder).stderr
    assert written(folder) == []


def test_batch_norm_leaves_no_rotations(folder):
    arch = "resnet:8:8-16-16:colu:batch"
    save_file(parse_architecture(arch).model.state_dict(), folder / "c.safetensors")
    done = call(folder, first="c", second="c", arch=arch)
    assert done.exit_code == 2 and "does not suit" in done.stderr and "--mode permutation" in done.stderr
    assert written(folder) == []
    assert call(folder, "--mode", "permutation", first="c", second="c", arch=arch).exit_code == 0


def test_files_are_not_replaced_unasked(folder):
    assert call(folder).exit_code == 0
    before = (folder / "fused.json").read_bytes()
    done = call(folder)
    assert done.exit_code == 2 and "--force" in done.stderr
    assert (folder / "fused.json").read_bytes() == before


def test_a_failing_disk_leaves_no_network(folder, monkeypatch):
    from colu import files

    write = files.write_atomically

    def fail(path, content):
        if path.suffix == ".safetensors":
            raise OSError("disk full")
        write(path, content)

    monkeypatch.setattr(files, "write_atomically", fail)
    done = call(folder)
    assert done.exit_code == 1 and "disk full" in done.stderr
    assert written(folder) == []


def test_names_of_a_wrapper_are_dropped_and_said(folder, pair):
    save_file({f"module._orig_mod.{name}": t for name, t in pair[0].items()}, folder / "a.safetensors")
    save_file({f"module.{name}": t for name, t in pair[1].items()}, folder / "b.safetensors")
    done = call(folder)
    assert done.exit_code == 0, done.output
    said = [line for line in done.stderr.splitlines() if "dropped" in line]
    assert len(said) == 2 and "a.safetensors begin with '_orig_mod.' and 'module.'" in said[0]
    assert set(load_file(folder / "fused.safetensors")) == set(pair[0])


def test_a_pickle_is_named_with_its_conversion(folder, pair):
    torch.save(pair[1], folder / "b.safetensors")
    done = call(folder)
    assert done.exit_code == 2 and "is a pickle" in done.stderr and "weights_only=True" in done.stderr
    assert written(folder) == []


def test_weights_that_have_no_mean_are_named(folder, pair):
    for change, message in ((lambda t: t.long(), "is torch.int64"), (lambda t: t.to(torch.float8_e5m2), "float8_e5m2")):
        save_file(pair[1] | {"1.weight": change(pair[1]["1.weight"])}, folder / "b.safetensors")
        done = call(folder)
        assert done.exit_code == 2 and "1.weight of" in done.stderr and message in done.stderr
    assert written(folder) == []
