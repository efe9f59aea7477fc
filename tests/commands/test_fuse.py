"""The command that fuses networks: what it writes, and that it writes nothing where something is wrong."""

import json
import sys

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import CliRunner

from colu.cli import app
from colu.fusion import apply, trace_spec
from colu.nn import CoLU

CODE = """
import torch
from torch import nn
from colu.nn import CoLU


def net(width=16):
    return nn.Sequential(nn.Linear(6, width), CoLU(dim=4, channel_dim=-1), nn.Linear(width, 3))


def plain():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def normed():
    return nn.Sequential(nn.Linear(6, 8), nn.RMSNorm(8), nn.Linear(8, 3))


class Unknown(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.gate, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)) * self.gate(x).sort(-1).values)


def samples(scale=1.0, nan=False):
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    if nan:
        x[150, 2] = torch.nan
    x = x * scale
    found = {"split": "the last half", "scaling": f"times {scale}"}
    return found | {"fit": (x[:100], y[:100]), "test": (x[100:], y[100:])}


def pair_of_pairs():
    return samples()["fit"], samples()["test"]


def needs(width):
    return net(width)


def single():
    return nn.Sequential(nn.Linear(6, 3, bias=False))


class Picky(nn.Sequential):
    def __init__(self):
        super().__init__(*net())

    def forward(self, x):
        if x.shape[1:] != (2, 6):
            raise RuntimeError("pairs are wanted")
        return super().forward(x)


class Branched(Picky):
    def forward(self, x):
        for layer in self:
            x = layer(x)
        return x if x.sum() > 0 else -x


def changed(how):
    found = samples()
    x, y = found["fit"]
    late = x[50:].clone()
    late[3, 2] = torch.nan
    fit = {
        "empty": (x[:0], y[:0]),
        "late NaN": [(x[:50], y[:50]), (late, y[50:])],
        "once": (batch for batch in [(x, y)]),
        "arrays": (x.numpy(), y.numpy()),
        "fewer labels": (x, y[3:]),
        "narrow": (x[:, :5], y),
        "bytes": (x.byte(), y),
    }
    found["fit"] = fit.get(how, (x, y))
    x, y = found["test"]
    found["test"] = {"classes": (x, y + 5), "shares": (x, y / 2)}.get(how, (x, y))
    return found | ({"loss": lambda outputs, labels: outputs.sum() * torch.nan} if how == "NaN loss" else {})


def number():
    return 3
"""


def net(width=16):
    return nn.Sequential(nn.Linear(6, width), CoLU(dim=4, channel_dim=-1), nn.Linear(width, 3))


@pytest.fixture(scope="module")
def pair():
    x = torch.randn(400, 6, generator=torch.Generator().manual_seed(1))
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    states = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = net()
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        states.append({name: t.detach().clone() for name, t in model.state_dict().items()})
    return states


@pytest.fixture
def folder(tmp_path, pair, monkeypatch):
    for name, state in zip("ab", pair, strict=True):
        save_file(state, tmp_path / f"{name}.safetensors")
    (tmp_path / "mine_to_fuse.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("mine_to_fuse", None)
    return tmp_path


def call(*options, files=("a.safetensors", "b.safetensors"), model="mine_to_fuse:net"):
    return CliRunner().invoke(app, ["fuse", *files, "--model", model, *options])


def written(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith((".", "fused")))


def test_model_report_and_page(folder, pair):
    done = call("--data", "mine_to_fuse:samples", "--lambdas", "5")
    assert done.exit_code == 0, done.output
    assert written(folder) == ["fused.html", "fused.json", "fused.safetensors"]
    assert "scaling: times 1.0; nothing is normalised" in done.stdout and "split: the last half" in done.stdout
    report = json.loads((folder / "fused.json").read_text())
    assert report["aligned"][1]["invariance_error"] < 1e-9
    metrics = report["metrics"]
    assert metrics["keeps_the_parent"] == [True, True]
    assert {"random", "naive", "ensemble", "fused", "aligned_alone"} <= set(metrics)
    assert set(report["curves"]) == {"naive", "aligned", "repaired"} and report["distrust"]
    assert len(report["files"][0]["sha256"]["a.safetensors"]) == 64 and report["versions"]["torch"]
    page = (folder / "fused.html").read_text()
    for text in ("<svg", "What to distrust", "What was aligned", "What was fixed", "0.weight", "2.bias",
                 "network 2, aligned", "loss((1 - lambda) A + lambda B)", "colu", "random alignment"):  # fmt: skip
        assert text in page
    # Numbers are whole on a telephone, checksums may be broken; columns without anything are left out.
    assert "<td class='long'>" + report["files"][0]["sha256"]["a.safetensors"] in page
    assert f"<td>{metrics['fused']['loss']:.4f}</td>" in page and "partners of a unit" not in page
    assert "prefers-color-scheme:dark" in page and "Perm(n) stands for" in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    ).replace("https://matplotlib.org", "")
    fused = load_file(folder / "fused.safetensors")
    assert all(fused[name].shape == pair[0][name].shape for name in pair[0])
    with safe_open(folder / "fused.safetensors", "pt") as file:
        said = file.metadata()
    assert said["format"] == "pt" and "sha256" in said["parents"] and said["command"].startswith("colu")


def test_two_frames_of_one_network_fuse_to_it(folder, pair):
    spec = trace_spec(net())
    moved = apply(spec, spec.random(3), pair[0])
    save_file({name: t.contiguous() for name, t in moved.items()}, folder / "b.safetensors")
    done = call()
    assert done.exit_code == 0 and "nothing was measured" in done.stdout
    fused = load_file(folder / "fused.safetensors")
    assert all(torch.allclose(fused[name], pair[0][name], atol=1e-4) for name in fused)
    # Permutations of cones cannot undo rotations.
    assert call("--group", "permutation", "--force").exit_code == 0
    fused = load_file(folder / "fused.safetensors")
    assert not all(torch.allclose(fused[name], pair[0][name], atol=1e-2) for name in fused)


def test_weights_read_from_the_disk_fuse_to_the_same_bits(folder, pair):
    from colu.fusion import fuse

    assert call().exit_code == 0
    wanted = fuse(net(), *pair).state
    fused = load_file(folder / "fused.safetensors")
    assert all(torch.equal(fused[name], wanted[name]) for name in wanted)


def test_shards_in_half_precision_and_a_third_network(folder, pair):
    states = [{name: t.bfloat16() for name, t in state.items()} for state in (*pair, pair[0])]
    for place, state in enumerate(states):
        names = list(state)
        for part, some in enumerate((names[:1], names[1:])):
            save_file({name: state[name] for name in some}, folder / f"{place}-{part}.safetensors")
        places = {name: f"{place}-{min(k, 1)}.safetensors" for k, name in enumerate(names)}
        (folder / f"{place}.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    files = [f"{place}.safetensors.index.json" for place in range(3)]
    done = call("--write-parents", "parents", files=files)
    assert done.exit_code == 0, done.output
    assert load_file(folder / "fused.safetensors")["0.weight"].dtype == torch.bfloat16
    aligned = [load_file(folder / "parents" / f"network-{k}.safetensors")["0.weight"].double() for k in (1, 2, 3)]
    mean = sum(aligned) / 3
    assert torch.allclose(load_file(folder / "fused.safetensors")["0.weight"].double(), mean, atol=0.02)
    assert torch.equal(aligned[0], aligned[2])
    assert "mergekit-pytorch parents/mergekit.yml" in (folder / "parents" / "mergekit.yml").read_text()
    done = call("--force", files=[*files[:1], "b.safetensors"])
    assert done.exit_code == 2
    assert "0.weight is torch.bfloat16 in network 1 and torch.float32 in network 2" in done.stderr


def saved(folder, name, state, dtype=torch.float32, prefix=""):
    """A folder as transformers writes it: two shards, an index, and what else belongs to the model."""
    (folder / name).mkdir()
    names, places = list(state), {}
    for part, some in enumerate((names[:2], names[2:]), 1):
        file = f"model-0000{part}-of-00002.safetensors"
        save_file({prefix + one: state[one].to(dtype) for one in some}, folder / name / file, {"format": "pt"})
        places |= {prefix + one: file for one in some}
    (folder / name / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (folder / name / "config.json").write_text('{"architectures": ["Mine"]}')
    (folder / name / "tokenizer.json").write_text(name)
    (folder / name / "old.bin").write_bytes(b"a pickle")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_folders_are_written_as_they_were_read(folder, pair, dtype):
    import yaml

    for name, state in zip("ab", pair, strict=True):
        saved(folder, f"folder-{name}", state, dtype, prefix="model.")
    options = ["--out", "merged", "--write-parents", "parents", "--share", "0.25"]
    done = call(*options, files=["folder-a", "folder-b"])
    assert done.exit_code == 0, done.output
    wanted = sorted(p.name for p in (folder / "folder-a").iterdir() if p.suffix != ".bin")
    found = []
    for name in ("parents/network-1", "parents/network-2", "merged"):
        assert sorted(p.name for p in (folder / name).iterdir()) == wanted
        shards = [load_file(p) for p in sorted((folder / name).glob("*.safetensors"))]
        assert [list(one) for one in shards] == [["model.0.bias", "model.0.weight"], ["model.2.bias", "model.2.weight"]]
        assert all(t.dtype == dtype for one in shards for t in one.values())
        found.append(shards[0] | shards[1])
    assert (folder / "parents/network-2/tokenizer.json").read_text() == "folder-b"
    for name in found[0]:
        assert torch.equal(found[0][name], pair[0][name.removeprefix("model.")].to(dtype))
        mean = 0.75 * found[0][name].double() + 0.25 * found[1][name].double()
        assert torch.equal(found[2][name], mean.to(dtype))
    assert (folder / "merged.html").is_file() and (folder / "merged.json").is_file()
    recipe = yaml.safe_load((folder / "parents" / "mergekit.yml").read_text())
    assert recipe == {
        "merge_method": "linear", "dtype": str(dtype).removeprefix("torch."),
        "models": [{"model": f"./parents/network-{k}", "parameters": {"weight": share}}
                   for k, share in ((1, 0.75), (2, 0.25))],
    }  # fmt: skip
    done = call(*options, files=["folder-a", "folder-b"])
    assert done.exit_code == 2 and "parents/network-1 exists" in done.stderr
    done = call("--out", "folder-a", "--force", files=["folder-a", "folder-b"])
    assert done.exit_code == 2 and "is one of the networks that are read" in done.stderr
    assert call(*options, "--force", files=["folder-a", "folder-b"]).exit_code == 0


def test_recipes_with_a_base_name_it_and_their_own_numbers(folder, pair):
    import yaml

    save_file(pair[0], folder / "c.safetensors")
    options = ["--base", "c.safetensors", "--scale", "0.5", "--write-parents", "parents", "--merge"]
    assert call(*options, "ties", "--density", "0.3").exit_code == 0
    recipe = yaml.safe_load((folder / "parents" / "mergekit.yml").read_text())
    assert recipe["merge_method"] == "ties" and recipe["base_model"] == "./c.safetensors"
    assert recipe["parameters"] == {"lambda": 0.5}
    assert recipe["models"][1] == {"model": "./parents/network-2.safetensors",
                                   "parameters": {"weight": 1, "density": 0.3}}  # fmt: skip
    done = call(*options, "task", "--folding", "auto", "--force")
    assert done.exit_code == 2 and "--folding rewrites the --base too" in done.stderr
    assert "wanted no, yes or auto" in call("--folding", "maybe", "--force").stderr


def test_the_first_layers_alone_are_merged(folder, pair):
    from colu.fusion import PartialNetwork

    done = call("--merge", "partial", "--until", "0", "--data", "mine_to_fuse:samples")
    assert done.exit_code == 0, done.output
    state = load_file(folder / "fused.safetensors")
    assert set(state) == {"0.weight", "0.bias", *(f"tails.{k}.2.{n}" for k in (0, 1) for n in ("weight", "bias"))}
    report = json.loads((folder / "fused.json").read_text())
    assert PartialNetwork(net(), state)(torch.randn(4, 6)).shape == (4, 3) and report["curves"] == {}
    assert "Merged up to <code>0</code> alone: <code>0.weight, 0.bias" in (folder / "fused.html").read_text()
    assert "merges up to a layer" in call("--merge", "partial", "--force").stderr
    assert "makes no folder" in call("--merge", "partial", "--until", "0", "--out", "whole").stderr


def test_a_gate_that_is_not_understood_stays_and_is_named(folder):
    state = {"first.weight": (8, 6), "gate.weight": (8, 6), "last.weight": (3, 8)}
    state |= {name.replace("weight", "bias"): shape[:1] for name, shape in state.items()}
    for name in "ab":
        save_file({key: torch.randn(shape) for key, shape in state.items()}, folder / f"{name}.safetensors")
    done = call(model="mine_to_fuse:Unknown")
    assert done.exit_code == 0, done.output
    report = json.loads((folder / "fused.json").read_text())
    named = {one["made_by"]: one["why"] for one in report["still"]}
    assert "sort" in named["gate.weight"] and "mul" in named["first.weight"]
    assert "sort" in (folder / "fused.html").read_text().partition("What was fixed")[2]


def test_plans_that_do_not_converge_or_are_diffuse_say_so(folder):
    soft = ["--method", "transport", "--cost", "weights", "--solver", "sinkhorn"]
    done = call(*soft, "--eps", "0.0001", "--iterations", "2")
    assert done.exit_code == 2 and "try max_iterations=20 or eps=0.0003" in done.stderr
    assert written(folder) == []
    done = call(*soft, "--eps", "1", model="mine_to_fuse:net")
    assert done.exit_code == 0 and "diffuse plans: '0': a unit is the mean of" in done.stderr
    assert "A diffuse plan" in (folder / "fused.html").read_text()


def test_gains_are_folded_where_that_is_asked_for(folder):
    model = [nn.Sequential(nn.Linear(6, 8), nn.RMSNorm(8), nn.Linear(8, 3)) for _ in range(2)]
    for name, one in zip("ab", model, strict=True):
        nn.init.uniform_(one[1].weight, 0.5, 2)
        save_file(one.state_dict(), folder / f"{name}.safetensors")
    done = call("--folding", "yes", "--write-parents", "parents", model="mine_to_fuse:normed")
    assert done.exit_code == 0, done.output
    assert "gains folded: 1.weight into 2.weight" in done.stdout
    page = (folder / "fused.html").read_text()
    assert "Gains of one" in page and "1.weight into 2.weight" in page
    x = torch.randn(20, 6)
    for k, one in enumerate(model, 1):
        aligned = load_file(folder / "parents" / f"network-{k}.safetensors")
        assert (aligned["1.weight"] == 1).all()
        assert torch.allclose(torch.func.functional_call(one, aligned, (x,)), one(x), atol=1e-5)


def test_other_widths_are_carried(folder):
    save_file(net(8).state_dict(), folder / "n.safetensors")
    options = ["--model", "mine_to_fuse:net(width=8)", "--method", "transport", "--data", "mine_to_fuse:pair_of_pairs"]
    done = call(*options, files=["a.safetensors", "n.safetensors"])
    assert done.exit_code == 0, done.output
    report = json.loads((folder / "fused.json").read_text())
    assert report["aligned"][1]["softness"]["0"]["largest"] == pytest.approx(1)
    assert "scaling: not said by the data function" in done.stdout


def test_parents_that_score_below_what_their_file_says(folder, pair):
    save_file(pair[1], folder / "b.safetensors", {"accuracy": "97.5 %"})
    done = call("--data", "mine_to_fuse:samples(scale=-1.0)")
    assert done.exit_code == 0
    assert "its file says 97.5 %: these are other data, or they are scaled otherwise" in done.stderr
    assert "its file says 97.5 %" in (folder / "fused.html").read_text()
    assert "its file says" not in call("--data", "mine_to_fuse:samples", "--force").stderr


def test_a_checkpoint_of_colu_run_gives_its_averaged_weights(folder, pair):
    both = {f"model.{n}": t for n, t in pair[1].items()} | {f"average.{n}": t for n, t in pair[0].items()}
    save_file(both | {"losses": torch.zeros(3)}, folder / "b.safetensors")
    done = call()
    assert done.exit_code == 0, done.output
    fused = load_file(folder / "fused.safetensors")
    assert all(torch.allclose(fused[name], pair[0][name], atol=1e-5) for name in fused)


@pytest.mark.parametrize(
    ("options", "model", "message"),
    [
        ((), "mine_to_fuse:net(width=8)", "of another architecture than --model: its 0.weight is (16, 6)"),
        ((), "mine_to_fuse:missing", "has no 'missing'; it has"),
        ((), "no_such_module:net", "no_such_module cannot be imported"),
        ((), "net", "of no known form; wanted package.module:callable"),
        ((), "model.pt", "pickles and exports are not loaded"),
        ((), "mine_to_fuse:number", "gives a int; wanted a torch.nn.Module"),
        ((), "mine_to_fuse:net(width=x)", "are no literals"),
        ((), "hf:nowhere", "nowhere holds no config.json"),
        (("--method", "activations"), "mine_to_fuse:net", "compares outputs on samples; give data"),
        (("--share", "2"), "mine_to_fuse:net", "shares are"),
        (("--repair", "cone"), "mine_to_fuse:net", "takes statistics from samples"),
        (("--merge", "ties"), "mine_to_fuse:net", "needs the base"),
        (("--data", "mine_to_fuse:number"), "mine_to_fuse:net", "gives int; wanted ((inputs, labels)"),
        (("--data", "mine_to_fuse:samples(nan=True)"), "mine_to_fuse:net", "hold NaN or infinity, first at [50, 2]"),
        (("--data", "mine_to_fuse:samples", "--lambdas", "2"), "mine_to_fuse:net", "at least three"),
        (("--out", "a.safetensors"), "mine_to_fuse:net", "one of the networks that are read"),
        (("--out", "fused.pt"), "mine_to_fuse:net", "ends in .safetensors"),
        (("--input", "6,x"), "mine_to_fuse:net", "wanted whole numbers with commas"),
        (("--input", "5"), "mine_to_fuse:net", "the model does not run on --input 5, (2, 5) float64: RuntimeError"),
        (("--share", "nan"), "mine_to_fuse:net", "shares are [nan, nan]"),
        ((), "mine_to_fuse:net(depth=3)", "unexpected keyword argument 'depth'; arguments go in parentheses"),
        ((), "mine_to_fuse:needs", "missing a required argument: 'width'"),
        (("--data", "mine_to_fuse:samples(1, 2, 3)"), "mine_to_fuse:net", "too many positional arguments"),
        (("--data", "mine_to_fuse:changed('empty')"), "mine_to_fuse:net", "the fit samples of --data"),
        (("--data", "mine_to_fuse:changed('empty')"), "mine_to_fuse:net", "hold nothing; wanted (inputs, labels)"),
        (("--data", "mine_to_fuse:changed('late NaN')"), "mine_to_fuse:net", "batch 1 of the fit samples of --data"),
        (("--data", "mine_to_fuse:changed('once')"), "mine_to_fuse:net", "can be read once only"),
        (("--data", "mine_to_fuse:changed('arrays')"), "mine_to_fuse:net", "are a ndarray, wanted a tensor"),
        (("--data", "mine_to_fuse:changed('fewer labels')"), "mine_to_fuse:net", "hold 100 samples and 97 labels"),
        (("--data", "mine_to_fuse:changed('narrow')"), "mine_to_fuse:net", "does not run on the first samples"),
        (("--data", "mine_to_fuse:changed('bytes')"), "mine_to_fuse:net", "(2, 6) uint8: RuntimeError"),
        (("--data", "mine_to_fuse:changed('classes')"), "mine_to_fuse:net", "labels go from 5 to 7, and the network"),
        (("--data", "mine_to_fuse:changed('shares')"), "mine_to_fuse:net", "cross-entropy reads whole numbers"),
        (("--data", "mine_to_fuse:changed('NaN loss')"), "mine_to_fuse:net", "the loss on the data is nan"),
    ],
)
def test_bad_input_writes_nothing(folder, options, model, message):
    done = call(*options, model=model)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert written(folder) == []


def test_packages_that_are_absent_are_named(folder, monkeypatch):
    for name in ("timm", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "needs timm, which is not installed: pip install timm" in call(model="timm:resnet18").stderr
    assert "needs transformers, which is not installed" in call(model="hf:here").stderr
    assert written(folder) == []


def test_weights_that_are_not_finite_or_no_weights(folder, pair):
    bad = {name: t.clone() for name, t in pair[1].items()}
    bad["0.bias"][3] = float("nan")
    save_file(bad, folder / "b.safetensors")
    done = call()
    assert done.exit_code == 2 and "0.bias of network 2 holds NaN or infinity" in done.stderr
    (folder / "b.safetensors").write_bytes(b"no tensors")
    assert "cannot be read as safetensors" in call().stderr
    torch.save(pair[1], folder / "b.pt")
    done = call(files=["a.safetensors", "b.pt"])
    assert done.exit_code == 2 and "is a pickle" in done.stderr and "weights_only=True" in done.stderr
    assert "name two or more" in call(files=["a.safetensors"]).stderr
    assert written(folder) == []


def test_files_are_not_replaced_unasked(folder):
    assert call().exit_code == 0
    before = (folder / "fused.json").read_bytes()
    done = call()
    assert done.exit_code == 2 and "--force" in done.stderr
    assert (folder / "fused.json").read_bytes() == before


def test_a_failing_disk_leaves_no_network(folder, monkeypatch):
    from colu import files

    write = files.write_atomically

    def fails(path, content):
        if path.suffix == ".safetensors":
            raise OSError("no space")
        write(path, content)

    monkeypatch.setattr("colu.fusion.stored.write_atomically", fails)
    assert call().exit_code == 1
    assert written(folder) == []


def test_the_same_weights_and_networks_without_groups_are_told(folder, pair):
    save_file(pair[0], folder / "b.safetensors")
    done = call()
    assert "distrust: Networks 1 and 2 hold the same weights." in done.stdout
    save_file({"0.weight": torch.ones(3, 6)}, folder / "a.safetensors")
    save_file({"0.weight": torch.zeros(3, 6)}, folder / "b.safetensors")
    done = call("--force", model="mine_to_fuse:single")
    assert "No group was found, so that nothing could be aligned" in done.stdout
    assert "local optimum" not in done.stdout and "same weights" not in done.stdout


def test_a_model_that_no_guess_fits_asks_for_the_size(folder):
    done = call(model="mine_to_fuse:Picky")
    assert done.exit_code == 2 and "give --input, the sizes of one sample, or --data" in done.stderr
    assert call("--input", "2,6", model="mine_to_fuse:Picky").exit_code == 0


def test_a_branch_that_the_inputs_decide_is_in_the_report(folder):
    done = call(model="mine_to_fuse:Branched")
    assert "distrust: The model asks for a number" in done.stdout and "may go another way" in done.stdout


def test_the_help_says_that_code_is_run():
    text = " ".join(CliRunner().invoke(app, ["fuse", "--help"], env={"COLUMNS": "200"}).stdout.split())
    assert "whose code is run" in text and "never unpickled" in text
