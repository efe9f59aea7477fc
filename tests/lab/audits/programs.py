"""How the code of each audit is run: from its files and the recorded inputs to what it gives.

Nothing of the code is here. A program loads a file as it stands at its commit and calls it; where something has to be
put in its place, a GPU or an import that is missing, ``runs`` in ``audits.yml`` says so.
"""

import ast
import contextlib
import importlib.util
import io
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from colu.programs import run_program

__all__ = ["PROGRAMS", "VERSIONS"]


def load(path: Path, name: str, **missing) -> ModuleType:
    """A file as a module, with the names that it uses and does not import."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(missing)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def values(array) -> list:
    """Nested lists of a tensor or an array, to nine digits: what float32 holds."""
    if isinstance(array, Tensor):
        array = array.detach().numpy()
    array = np.asarray(array, dtype=np.float64)
    return np.vectorize(lambda v: float(f"{v:.9g}"), otypes=[float])(array).tolist() if array.size else array.tolist()


def axes_first(x: Tensor, dim: int = 4) -> np.ndarray:
    """Channels in the order of the public code: all axes, then all sections."""
    cones = x.float().unflatten(1, (-1, dim))
    return torch.cat([cones[..., 0], cones[..., 1:].flatten(1)], 1).numpy()


def cone_by_cone(y, dim: int = 4) -> Tensor:
    """The same order back: the axis of each cone before its section."""
    y = torch.from_numpy(np.array(y))
    groups = y.shape[1] // dim
    axes, sections = y[:, :groups, None], y[:, groups:].unflatten(1, (groups, dim - 1))
    return torch.cat([axes, sections], 2).flatten(1)


def jax_colu(scaling: str):
    def program(path: Path, given: dict) -> dict:
        module = load(path, "jax_colu_reference")
        return {"y": cone_by_cone(module.colu_reference(axes_first(given["x"]), scaling=scaling))}

    return program


def first_hard(path: Path, given: dict) -> dict:
    return {"y": cone_by_cone(load(path, "act_flax").colu(axes_first(given["x"])))}


def first_two(path: Path, given: dict) -> dict:
    return {"y": torch.from_numpy(np.array(load(path, "act_flax").colu(given["x"].float().numpy(), dim=2)))}


def first_log(path: Path, given: dict) -> dict:
    colu = load(path, "act_flax").colu
    batches = {name: torch.cat([given["sample"], given[name]]) for name in ("companions", "others")}
    return {name: cone_by_cone(colu(axes_first(x), scaling="log"))[:1] for name, x in batches.items()}


def first_time(path: Path, given: dict) -> dict:
    package = ModuleType("audited")
    package.__path__ = [str(path.parent)]
    sys.modules["audited"] = package
    load(path.parent / "act_flax.py", "audited.act_flax")
    embedding = load(path, "audited.embeddings_flax").FlaxTimestepEmbedding
    weights = {
        "params": {
            f"linear_{k}": {"kernel": given[f"weight_{k}"].float().numpy(), "bias": given[f"bias_{k}"].float().numpy()}
            for k in (1, 2)
        }
    }
    width = len(given["bias_1"])
    x = given["x"].float().numpy()
    return {name: embedding(time_embed_dim=width, act_fn=name).apply(weights, x) for name in ("silu", "relu", "colu")}


def first_momentum(path: Path, given: dict) -> dict:
    import flax.linen
    import jax

    # The script trains where it is imported, so its one line is read: every literal argument of its normalisation.
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    (call,) = [
        c for c in calls if any(isinstance(a, ast.Attribute) and a.attr == "BatchNorm" for a in c.args) and c.keywords
    ]
    literal = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    norm = flax.linen.BatchNorm(use_running_average=False, **literal)
    state = norm.init(jax.random.key(0), given["batches"][0].float().numpy())
    means = []
    for batch in given["batches"]:
        _, new = norm.apply(state, batch.float().numpy(), mutable=["batch_stats"])
        state = {**state, **new}
        means.append(np.array(new["batch_stats"]["mean"]))
    return {"momentum": literal["momentum"], "running_mean": np.stack(means)}


def staying(module: ModuleType) -> ModuleType:
    """What would move to a GPU stays."""
    for kind in (Tensor, nn.Parameter):
        kind.cuda = lambda self, *_: self
    return module


def mpu_angle(path: Path, given: dict) -> dict:
    unit = staying(load(path, "cone_projection")).soc(cone_dim=2)
    # On a GPU, .cuda() gives a tensor that is no parameter; where it stays, that cannot be seen.
    return {"tangent": unit.angle_tan, "y": unit(given["x"].float())}


def mpu_fixed_angle(path: Path, given: dict) -> dict:
    module = staying(load(path, "cone_projection"))
    return {f"y_{m}": module.soc_with_angle(angle_tan=1.0, cone_dim=m)(given[f"x_{m}"].float()) for m in (2, 3)}


def mpu_order(path: Path, given: dict) -> dict:
    unit = staying(load(path, "cone_projection")).soc_3dim()
    unit.angle_tan.data.fill_(1.0 - 1.19)
    return {"y": unit(given["x"].float())}


def acon_c(path: Path, given: dict) -> dict:
    unit = load(path, "acon").AconC(given["p1"].numel())
    for name in ("p1", "p2", "beta"):
        getattr(unit, name).data.copy_(given[name][:, None, None])
    torch.manual_seed(0)
    fresh = load(path, "acon").AconC(10_000)
    start = [fresh.p1.mean(), fresh.p1.std(), fresh.p2.mean(), fresh.p2.std(), fresh.beta.min(), fresh.beta.max()]
    return {"y": unit(given["x"].float()), "start": torch.stack(start)}


def meta_acon(path: Path, given: dict) -> dict:
    module = load(path, "acon")
    units = [module.MetaAconC(int(width)) for width in given["width"]]
    hidden = [unit.fc1.out_channels for unit in units]
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in unit.modules()) for unit in units]
    return {"hidden": hidden, "norms": norms, "biases": [int(unit.fc1.bias is not None) for unit in units]}


def lslu(path: Path, given: dict) -> dict:
    try:
        load(path, "lslu_bare")
    except NameError:
        imports = 0
    else:
        imports = 1
    unit = load(path, "lslu", torch=torch, nn=nn, F=nn.functional).LearnableSerieslinearUnit(4)
    unit.weight.data.copy_(given["weight"])
    unit.alphas.data.copy_(given["alphas"])
    unit.biases.data.copy_(given["biases"])
    unit.bn.running_mean.copy_(given["mean"])
    unit.bn.running_var.copy_(given["variance"])
    unit.eval()
    x = given["x"].float()
    trained = unit(x)
    unit.switch_to_deploy()
    return {"imports": imports, "trained": trained, "deployed": unit(x)}


def pade(path: Path, given: dict) -> dict:
    module = load(path, "rational_pytorch_functions")
    x, a, b = (given[name].float() for name in ("x", "a", "b"))
    gave = {v: getattr(module, f"Rational_PYTORCH_{v}_F")(x, a, b, False) for v in "ABC"}
    # Of a constant numerator noise changes the size alone: what else differs between draws is of the denominator.
    torch.manual_seed(0)
    one = torch.tensor([1.0, 0, 0, 0, 0, 0])
    draws = torch.stack([module.Rational_PYTORCH_D_F(x, one, b, True) for _ in range(5)])
    return gave | {"D_training": draws}


#: Of its starts, those whose targets PyTorch has.
STARTS = ("gelu", "swish", "tanh", "relu")


def _starts(path: Path) -> dict:
    starts = json.loads(path.with_name("init.json").read_text())
    return {name: (starts[name]["init_w_numerator"], starts[name]["init_w_denominator"]) for name in STARTS}


def kat_fit(path: Path, given: dict) -> dict:
    # The file fits and draws where it is imported, so the one function is taken out of it.
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "complex_function"]
    space = {"np": np}
    exec(compile(tree, str(path), "exec"), space)
    x, starts = given["x"].numpy(), _starts(path)
    coefficients = {f"{name}_{part}": s[k] for name, s in starts.items() for k, part in enumerate(("a", "b"))}
    return {name: space["complex_function"](x, *a, *b) for name, (a, b) in starts.items()} | coefficients


def kat_triton(path: Path, given: dict) -> dict:
    module = load(path, "rational_triton")
    x = given["x"].float()[:, None]
    return {
        name: module.rational_fwd_triton(x, torch.tensor([a]), torch.tensor([b]), 1)[:, 0]
        for name, (a, b) in _starts(path).items()
    }


def kat_torch(path: Path, given: dict) -> dict:
    module = load(path, "kat_1dgroup_torch")
    x = given["x"].float()[None, :, None]
    sets = _starts(path) | {"ours": (given["a"].tolist(), given["b"].tolist())}
    return {
        name: module.Rational_CUDA_A_1DGroup(x, torch.tensor([a]), torch.tensor([b]), 1)[0, :, 0]
        for name, (a, b) in sets.items()
    }


def af_kan(path: Path, given: dict) -> dict:
    network = load(path, "af_kan").AF_KAN([6, 3]).eval()
    layer = network.rk_layers[0]
    layer.gk_linear.bias.data.zero_()
    gave = {"inside": [], "outside": []}
    parts = (given[name] for name in ("weight", "attention", "sample", "companions"))
    for weight, attention, sample, companions in zip(*parts, strict=True):
        layer.base_weight.data.copy_(weight)
        layer.gk_linear.weight.data.copy_(attention)
        for place, shift in (("inside", 0), ("outside", 4)):
            batches = (torch.cat([sample + shift, other]).float() for other in (companions, companions + 4))
            first, second = (network(batch)[0] for batch in batches)
            gave[place].append(float((first - second).detach().abs().max()))
    return gave


def evonorm(path: Path, given: dict) -> dict:
    module, x = load(path, "evonorm2d"), given["x"].float()
    channels = x.shape[1]
    return {
        "S0": module.EvoNorm2D(channels, version="S0", groups=channels // 2)(x),
        "B0": module.EvoNorm2D(channels, version="B0")(x),
    }


#: Of the command for perceptrons in its README, with weights in place of outputs; what nothing reads is left out.
OTFUSION = {
    "exact": True, "correction": True, "past_correction": True, "not_squared": True, "ground_metric": "euclidean",
    "ground_metric_normalize": "none", "geom_ensemble_type": "wts", "gpu_id": -1, "reg": 0.01, "ensemble_step": 0.5,
    "act_num_samples": 200, "clip_min": 0, "clip_max": 5, "importance": None, "proper_marginals": False,
    "dist_normalize": False, "activation_histograms": False, "clip_gm": False, "debug": False, "eval_aligned": False,
    "ground_metric_eff": False, "normalize_wts": False, "skip_last_layer": False, "tmap_stats": False,
    "unbalanced": False,
}  # fmt: skip


def fused_by_otfusion(path: Path, pair: list[list[Tensor]]) -> list[Tensor]:
    """The fused matrices of two networks; what the file imports for training is absent."""
    for absent in ("routines", "compute_activations", "model", "utils"):
        sys.modules[absent] = ModuleType(absent)
    sys.modules["model"].get_model_from_name = None
    sys.modules["utils"].isnan = torch.isnan
    load(path.parent / "ground_metric.py", "ground_metric")
    networks = [nn.ParameterDict({f"fc{k}": matrix.float() for k, matrix in enumerate(one)}) for one in pair]
    # It says each matrix; the last line alone is read here.
    with contextlib.redirect_stdout(sys.stderr), torch.no_grad():
        module = load(path, "wasserstein_ensemble")
        return module.get_wassersteinized_layers_modularized(SimpleNamespace(**OTFUSION), networks)


def otfusion(path: Path, given: dict) -> dict:
    pair = [[given[f"{one}_{k}"] for k in (1, 2, 3)] for one in "ab"]
    return {f"fused_{k}": matrix for k, matrix in enumerate(fused_by_otfusion(path, pair), 1)}


def otfusion_released(path: Path, given: dict) -> dict:
    from colu.fusion import evaluate
    from colu.lab.data import load as load_images

    repository, commit = path.parents[1] / "sidak-otfusion", path.parent.name
    done = run_program(["git", "-C", str(repository), "checkout", commit, "--", "mnist_models.zip"])
    assert done.status == 0, done.err
    files = []
    for k in (0, 1):
        stored = zipfile.ZipFile(repository / "mnist_models.zip").read(f"mnist_models/model_{k}/final.checkpoint")
        # Weights and plain values alone: nothing in the file is run.
        files.append(torch.load(io.BytesIO(stored), map_location="cpu", weights_only=True))
    pair = [list(file["model_state_dict"].values()) for file in files]
    images = load_images("mnist", "test")
    x = (images.images.float() / images.top - 0.1307) / 0.3081

    def accuracy(matrices: list[Tensor]) -> float:
        layers = [nn.Linear(*matrix.shape[::-1], bias=False) for matrix in matrices]
        units = [nn.ReLU() for _ in layers[1:]] + [nn.Identity()]
        net = nn.Sequential(nn.Flatten(), *(one for two in zip(layers, units, strict=True) for one in two))
        state = dict(zip(net.state_dict(), matrices, strict=True))
        return 100 * evaluate(net, state, (x, images.labels)).accuracy

    mean = [(one + other) / 2 for one, other in zip(*pair, strict=True)]
    return {
        "stated": [file["test_accuracy"] for file in files],
        "parents": [accuracy(matrices) for matrices in pair],
        "mean": accuracy(mean),
        "fused": accuracy(fused_by_otfusion(path, pair)),
    }


PROGRAMS = {
    "jax-colu-hard": jax_colu("hard"),
    "jax-colu-soft": jax_colu("soft"),
    "first-colu-hard": first_hard,
    "first-colu-two": first_two,
    "first-colu-log": first_log,
    "first-colu-time": first_time,
    "first-colu-momentum": first_momentum,
    "mpu-angle": mpu_angle,
    "mpu-fixed-angle": mpu_fixed_angle,
    "mpu-order": mpu_order,
    "acon-c": acon_c,
    "meta-acon": meta_acon,
    "lslu": lslu,
    "pade": pade,
    "kat-fit": kat_fit,
    "kat-triton": kat_triton,
    "kat-torch": kat_torch,
    "af-kan": af_kan,
    "evonorm": evonorm,
    "otfusion": otfusion,
    "otfusion-released": otfusion_released,
}

#: What each needs beside the package; the versions are recorded.
VERSIONS = {
    name: ("torch", "jax", "flax") if name.startswith(("jax-", "first-")) else ("torch",) for name in PROGRAMS
} | {"kat-triton": ("torch", "triton"), "otfusion": ("torch", "ot"), "otfusion-released": ("torch", "ot")}


def main() -> None:
    """Run one audit in a process of its own: id and folder as arguments, inputs in, outputs out, as JSON."""
    name, folder = sys.argv[1:3]
    given = {k: torch.tensor(v, dtype=torch.float64) for k, v in json.load(sys.stdin).items()}
    gave = {k: values(v) for k, v in PROGRAMS[name](Path(folder), given).items()}
    versions = {module: importlib.import_module(module).__version__ for module in VERSIONS[name]}
    print(json.dumps({"gave": gave, "made_with": {"python": sys.version.split()[0], **versions}}))


if __name__ == "__main__":
    main()
