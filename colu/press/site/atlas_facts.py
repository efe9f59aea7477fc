"""The facts of the atlas: from the registry, by measurement at the build, and from records."""

from __future__ import annotations

import csv
import re
import statistics
from dataclasses import asdict
from functools import cache

import torch

import colu
from colu.geometry import Symmetry
from colu.lab.experiments import get_arm, get_experiment
from colu.lab.results import find_records, metric_of, one_setting, paired_difference
from colu.lab.verdicts import judge_family, load_protocols, load_statements
from colu.lab.verdicts.cards import unit_of
from colu.nn import ActivationEntry, create, get_entry, gradient_ratio, list_activations, second_moment_ratio
from colu.nn.gain import gauss_legendre, sobol_normal
from colu.press.atlas import AtlasPage

__all__ = ["VERSION", "atlas_index", "moments", "recorded", "timed", "unit_facts"]

#: Of the index; a field that is added keeps it, one that goes or changes its meaning raises it.
VERSION = 1
LICENCE = "Apache-2.0"
#: Channels of the moments, for maps of several.
CHANNELS = 8
SEED = 0
#: Training that no protocol asked for: what it shows carries no word.
EXPLORATORY = ("mnist-mlp", "cifar-resnet", "gpt", "vae", "autoencoder", "ddpm", "latent-diffusion")
#: The case of each bench record that the pages show: forwards and backwards over the largest tensor of rows.
CASES = {"cpu": ("65536x256", "float32"), "cuda": ("524288x512", "bfloat16")}
#: How CoLU is computed on each, and the slower way that needs no compiler.
PATHS = {"cpu": {"fused": "one fused kernel", "reference": "operations of PyTorch"},
         "cuda": {"triton": "one Triton kernel", "reference": "operations of PyTorch"}}  # fmt: skip
#: The protocol whose runs tell what a whole run of training costs.
TIMED = "registry-photographs"
_VARIANT = re.compile(r"(colu|colu-soft|rcolu|rcolu-soft|mpu)(?:-shared)?(?:-\d+)?")


def unit_of_arm(arm: str) -> str | None:
    """The unit on whose page the runs of an arm belong.

    Examples
    --------
    >>> [unit_of_arm(arm) for arm in ("gelu", "colu-soft-shared-13", "relu-linear", "colu-frame")]
    ['gelu', 'colu-soft', None, None]
    """
    if arm in {entry.name for entry in list_activations()}:
        return arm
    found = _VARIANT.fullmatch(arm)
    return found[1] if found else None


def moved_by(symmetry: Symmetry | None) -> str:
    """In words what can be moved through a unit, in few kinds, by which the atlas is filtered.

    Examples
    --------
    >>> moved_by(Symmetry("units", 8)), moved_by(Symmetry("cones", 8, dim=4, scales=True))
    ('permutations', 'turns of a vector or section')
    """
    if symmetry is None:
        return "not known"
    if symmetry.kind in ("fixed", "linear"):
        return "nothing" if symmetry.kind == "fixed" else "every linear map"
    if symmetry.turns > 1:
        return "turns of a vector or section"
    if symmetry.dim > 1 or symmetry.blocks > 1:
        return "permutations of whole units"
    more = [word for word, there in (("positive scales", symmetry.scales), ("signs", symmetry.signs)) if there]
    return " and ".join(["permutations", *more]) if len(more) < 2 else "permutations and every scale"


def _fresh(entry: ActivationEntry, channels: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return create(entry.name, channels).eval()


def moments(entry: ActivationEntry) -> dict:
    """Gain, moments of the output and of the slope under standard normal input, as far as they are defined.

    Returns
    -------
    dict
        ``channels``; ``gain``, ``mean``, ``second`` (per input channel) and ``slope`` (the mean square of a singular
        value of the Jacobian), each None where it is not defined; ``why`` says so, and is empty otherwise.
    """
    found = {"channels": 1 if entry.pointwise else CHANNELS, "gain": None, "mean": None, "second": None, "slope": None}
    if entry.kind != "activation" or entry.unfit.startswith(("mixes", "needs", "takes")):
        return found | {"why": entry.unfit or f"is a {entry.kind}, not an activation alone"}
    if entry.family == "evonorm":
        return found | {"why": "divides by a deviation over its groups, so they depend on the size of the layer"}
    module, count = _fresh(entry, found["channels"]), None if entry.pointwise else found["channels"]
    try:
        found["second"] = second_moment_ratio(module, count)
        found["gain"] = found["second"] ** -0.5
        found["mean"] = _mean(module, count)
    except (ValueError, RuntimeError, TypeError) as error:
        return found | {"why": str(error).splitlines()[0]}
    try:
        found["slope"] = gradient_ratio(module, count)
    except (ValueError, RuntimeError):
        return found | {"why": "changes the number of channels, so its Jacobian is not square"}
    return found | {"why": ""}


@torch.no_grad()
def _mean(module: torch.nn.Module, channels: int | None) -> float:
    like = next(module.parameters(), torch.zeros((), dtype=torch.float64))
    if channels is None:
        x, weight = gauss_legendre([0.25 * k for k in range(-48, 49)], 8)
        density = weight * torch.exp(-x.square() / 2) / (2 * torch.pi) ** 0.5
        return float((density * module(x[:, None].to(like)).to(x)[:, 0]).sum())
    return float(module(sobol_normal(getattr(module, "in_channels", channels)).to(like)).double().mean())


@cache
def _bench() -> dict[str, list[dict]]:
    """What the bench records say, by unit."""
    from colu.lab.results import result_files

    found: dict[str, list[dict]] = {}
    for path in sorted(result_files("bench/*.csv")):
        with path.open(encoding="utf8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            device = row["device"]
            case = (row["shape"], row["dtype"], row["place"], row["dim"], row["passes"])
            if case != (*CASES[device], "last", "4", "both") or not row["ratio"]:
                continue
            way = PATHS[device].get(row["arm"], "")
            unit = "colu" if way else row["arm"]
            if way or unit in ("relu", "silu", "gelu"):
                numbers = {key: round(float(row[key]), 4) for key in ("ratio", "low", "high")}
                what = f"forwards and backwards over {row['shape'].replace('x', ' × ')} entries of {row['dtype']}"
                where = {"device": device, "way": way, "what": what, "record": f"results/bench/{path.name}"}
                found.setdefault(unit, []).append(where | numbers | {"n": None})
    return found


@cache
def _runs() -> dict[str, dict]:
    """CPU seconds of whole runs of training against those of ReLU, by unit."""
    protocol = load_protocols().get(TIMED)
    seconds: dict[str, dict] = {}
    for run in protocol.records() if protocol else ():
        if (taken := (run.conditions or {}).get("cpu_seconds")) is not None:
            key = (run.seed, run.config["plan"]["learning_rate"])
            seconds.setdefault(run.arm, {})[key] = taken
    found = {}
    for arm, taken in seconds.items():
        common = sorted(taken.keys() & seconds.get("relu", {}).keys())
        if len(common) >= 2 and arm in {entry.name for entry in list_activations()}:
            ratios = [taken[key] / seconds["relu"][key] for key in common]
            numbers = {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
            found[arm] = {"device": "cpu", "way": "", "what": "a whole run of training, in CPU seconds",
                          "record": f"results/protocols/{TIMED}-v{protocol.version}"} | {
                key: round(value, 3) for key, value in numbers.items()
            } | {"n": len(common)}  # fmt: skip
    return found


def timed(name: str) -> list[dict]:
    """What a unit costs, as a multiple of ReLU's time: one entry a record."""
    whole = _runs().get(name)
    return [*_bench().get(name, []), *([whole] if whole else [])]


def _label(arm: str) -> str:
    return get_arm(arm).label


def _result(arm: str, baseline: str, metric: str, difference, **more) -> dict:
    numbers = {key: float(f"{getattr(difference, key):.4g}") for key in ("mean", "low", "high")}
    names = {"arm": arm, "label": _label(arm), "baseline": baseline, "against": _label(baseline)}
    return names | {"metric": metric, "unit": unit_of(metric)} | numbers | {"n": difference.n} | more


@cache
def _judged() -> list[dict]:
    statements, found = load_statements(), []
    for protocol in load_protocols().values():
        for judgement in judge_family(protocol, statements).values():
            test, difference = judgement.test, judgement.difference
            if difference is not None:
                told = {"protocol": f"{protocol.name}-v{protocol.version}", "word": judgement.word,
                        "asked": judgement.statement.statement}  # fmt: skip
                found.append(_result(test.arm, test.baseline, test.metric, difference, **told))
    return found


@cache
def _explored() -> list[dict]:
    found = []
    for name in EXPLORATORY:
        metric, records = get_experiment(name).metric, find_records(name)
        runs = [run for run in records if metric_of(run, metric) is not None]
        for arm in dict.fromkeys(run.arm for run in runs):
            if arm == "relu" or unit_of_arm(arm) is None:
                continue
            chosen = one_setting(runs, [arm, "relu"])
            scores = {a: {r.seed: metric_of(r, metric) for r in chosen if r.arm == a} for a in (arm, "relu")}
            seeds = sorted(scores[arm].keys() & scores["relu"].keys())
            if len(seeds) >= 2:
                difference = paired_difference(*([scores[a][seed] for seed in seeds] for a in (arm, "relu")))
                told = {"protocol": None, "word": "exploratory", "asked": get_experiment(name).question}
                found.append(_result(arm, "relu", metric, difference, experiment=name, **told))
    return found


def recorded(name: str) -> list[dict]:
    """What records say of a unit: under protocols with their words, then exploratory ones."""
    found = {}
    for each in (*_judged(), *_explored()):
        if unit_of_arm(each["arm"]) == name:
            # Two statements about the same runs are one comparison, if they got the same word.
            found.setdefault((each["protocol"], each["arm"], each["baseline"], each["metric"], each["word"],
                              each["mean"]), each)  # fmt: skip
    return list(found.values())


def _number(value: float, channels: int) -> float:
    """As many digits as the measurement has: Sobol points, for several channels, give three."""
    return round(float(f"{value:.6g}"), 12) + 0.0 if channels == 1 else round(float(f"{value:.4g}"), 4) + 0.0


@cache
def registry_facts(name: str) -> dict:
    """What the registry and measurements say of one unit: all of its fields in the index but those of its page."""
    entry = get_entry(name)
    symmetry = entry.symmetry(create(name, 48), 48)
    measured = moments(entry)
    return {
        "name": name,
        "aliases": list(entry.aliases),
        "family": entry.family,
        "kind": entry.kind,
        "formula": entry.formula,
        "citation": entry.citation,
        "notes": entry.notes,
        "unfit": entry.unfit,
        "pointwise": entry.pointwise,
        "mixes_positions": entry.mixes_positions,
        "symmetry": "" if symmetry is None else symmetry.latex,
        "moved": moved_by(symmetry),
        "homogeneity": entry.homogeneity,
        "lipschitz": entry.lipschitz,
        "lipschitz_all": entry.lipschitz_all,
        "learnable": entry.parameters(48) > 0,
        "parameters": entry.parameter_formula,
        "moments": {
            key: _number(v, measured["channels"]) if isinstance(v, float) else v for key, v in measured.items()
        },
        "cost": timed(name),
        "results": recorded(name),
    }


def unit_facts(title: str, page: AtlasPage) -> dict:
    """All fields of one unit in the index."""
    own = asdict(page)
    own |= {key: list(own[key]) for key in ("wrong", "chapters")}
    return registry_facts(page.name) | {"title": title, "address": f"book/atlas/{page.name}.html"} | own


def atlas_index(pages: dict[str, tuple[str, AtlasPage]]) -> dict:
    """What ``atlas.json`` holds: for other programs, versioned."""
    return {
        "version": VERSION,
        "licence": LICENCE,
        "source": "https://github.com/colu-book/colu",
        "generated_from": {"package": "colu", "version": colu.__version__},
        "units": [unit_facts(*pages[name]) for name in sorted(pages)],
    }
