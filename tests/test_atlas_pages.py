"""The pages of the atlas say what the units do: what can be measured is measured, and each line of PyTorch is run."""

import re
from math import comb
from pathlib import Path

import pytest
import torch
from pybtex.database import parse_file

import colu.nn
from colu.nn import create, get_entry, list_activations
from colu.press.atlas import FOLDER, atlas_pages, chapters_by_topic

ROOT = Path(__file__).parents[1]
SOURCES = {path.stem: path.read_text(encoding="utf8") for path in sorted((ROOT / FOLDER).glob("*.md"))}
TITLES, PAGES = ({name: each[part] for name, each in atlas_pages(ROOT).items()} for part in (0, 1))
NOTEBOOKS = {topic: ROOT / "notebooks" / f"{name}.ipynb" for topic, name in chapters_by_topic(ROOT).items()}
BIBLIOGRAPHY = parse_file(str(ROOT / "book" / "references.bib")).entries
#: What chapters call a unit in words.
CALLED = {
    "colu-log": ["logarithm"],
    "gr-kan": ["KAT"],
    "group-rational": ["rational activations in groups", "rational function for a group"],
    "hardsigmoid": ["broken line"],
    "mpu-leaky": ["MPU"],
    "mpu-learnable": ["learnable half-apex angle", "MPU"],
    "softshrink": ["soft threshold"],
}
POINTWISE = [entry.name for entry in list_activations() if entry.pointwise]
CHANNELS = 8
#: What a sample looks like where it is not a vector of channels.
IMAGES = ("dy-relu-c", "frelu", "lslu-as-published", "series")
SHAPES = dict.fromkeys(IMAGES, (CHANNELS, 4, 4)) | {"hopfield": (3, CHANNELS), "grelu": (5, CHANNELS)}
SHAPES |= {"gated": (CHANNELS + CHANNELS // 4,), "orthogonal-convolution": (3, 2, 3, 3)}
#: Start so near to SiLU that their kink at 0 is below 1e-11: it is looked for after a step of training.
NEARLY_SMOOTH = {"group-rational", "gr-kan"}
#: A ring of five nodes.
ADJACENCY = torch.eye(5, dtype=torch.float64).roll(1, 0) + torch.eye(5, dtype=torch.float64).roll(-1, 0)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def unit(name, seed=0):
    """The module of a name with its default options, in evaluation mode, the same each time."""
    torch.manual_seed(seed)
    return create(name, CHANNELS).eval().requires_grad_(False)


def function(name, seed=0):
    """The unit on a batch of samples."""
    module = unit(name, seed)
    if name in NEARLY_SMOOTH:
        for parameter in module.parameters():
            parameter.add_(0.1)
    if name == "grelu":
        return torch.func.vmap(lambda x: module(x, ADJACENCY))
    return torch.func.vmap(module) if name == "orthogonal-convolution" else module


def samples(name, count=64):
    shape = SHAPES.get(name, (CHANNELS,))
    return 1.5 * torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


def test_every_unit_has_a_page_and_no_page_is_of_none():
    assert set(PAGES) == {entry.name for entry in list_activations()}
    assert len(set(TITLES.values())) == len(TITLES)


def test_what_it_is_for_takes_two_sentences_of_a_line_each():
    for name, page in PAGES.items():
        lines = SOURCES[name].partition("purpose: >-\n")[2].partition("\nsmoothness:")[0].splitlines()
        sentences = re.split(r"(?<=[.?!])\s+(?=[A-Z0-9$`])", page.purpose.strip())
        assert sentences == [line.strip() for line in lines] and len(sentences) == 2, name
        assert all(sentence.endswith(".") for sentence in sentences), name


def test_the_year_is_that_of_the_source():
    years = {key: int(entry.fields["year"]) for key, entry in BIBLIOGRAPHY.items()} | {"": None}
    assert {name: page.year for name, page in PAGES.items()} == {
        entry.name: years[entry.citation] for entry in list_activations()
    }


def test_every_chapter_names_the_unit():
    for name, page in PAGES.items():
        names = {name, TITLES[name], *get_entry(name).aliases, *CALLED.get(name, ())}
        names |= {each.replace("-", " ") for each in names} | {each.replace("-", "_") for each in names}
        wanted = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])", re.IGNORECASE)
        for chapter in page.chapters:
            assert wanted.search(NOTEBOOKS[chapter].read_text(encoding="utf8")), (name, chapter)


def test_everything_that_a_page_leads_to_is_there():
    for name, page in PAGES.items():
        assert page.relatives and name not in page.relatives and set(page.relatives) <= set(PAGES), name
        for target in re.findall(r"\{doc\}`/([^`]+)`", SOURCES[name]):
            assert (ROOT / f"{target}.ipynb").is_file(), (name, target)
        assert set(re.findall(r"\{cite:\w\}`([^`]+)`", SOURCES[name])) <= set(BIBLIOGRAPHY), name


def test_what_pages_say_of_two_units_holds():
    x = torch.linspace(-8, 8, 16001)
    f = {name: unit(name) for name in POINTWISE if not get_entry(name).needs_channels}
    vectors = samples("relu")
    same = [
        (f["celu"](x), f["elu"](x)),
        (f["logsigmoid"](x), -f["softplus"](-x)),
        (f["quick-gelu"](x), f["silu"](1.702 * x) / 1.702),
        (f["hardsigmoid"](x), f["relu6"](x + 3) / 6),
        (f["hardswish"](x), x * f["hardsigmoid"](x)),
        (f["swish"](x), f["silu"](x)),
        (f["mish"](x), x * f["tanh"](f["softplus"](x))),
        (f["sigmoid"](x), (1 + f["tanh"](x / 2)) / 2),
        (f["softshrink"](x), x - f["hardtanh"](2 * x) / 2),
        (unit("acon-a")(vectors), f["silu"](vectors)),
        (unit("mpu")(vectors), f["relu"](vectors)),
        (unit("mpu-leaky")(vectors), f["leaky-relu"](vectors)),
        (unit("mpu-learnable")(vectors), unit("mpu")(vectors)),
        (unit("householder")(vectors), unit("group-sort")(vectors)),
        (unit("pwlu")(vectors), f["relu"](vectors)),
        (unit("lslu")(vectors), f["relu"](vectors)),
        (function("grelu")(samples("grelu")), f["relu"](samples("grelu"))),
    ]
    for ours, theirs in same:
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)
    farthest = {name: float((f[name](x) - f["gelu"](x)).abs().max()) for name in ("gelu-tanh", "quick-gelu")}
    assert 4e-4 < farthest["gelu-tanh"] < 5e-4 and 0.02 < farthest["quick-gelu"] < 0.021
    assert f["mish"](x).min() < f["silu"](x).min() - 0.02, "Mish dips deeper"
    nearly = unit("group-rational")(vectors) - f["silu"](vectors)
    assert 0 < nearly.abs().max() < 0.01, "it starts as SiLU, nearly"
    huge = torch.tensor(-1000.0)
    assert f["logsigmoid"](huge) == -1000 and torch.sigmoid(huge) == 0


@pytest.mark.parametrize("name", PAGES)
def test_the_line_of_pytorch_computes_the_unit(name):
    line, module, x = PAGES[name].torch, unit(name), samples(name)
    # Nothing but zeros, and zeros beside one number: no line may divide 0 by 0.
    x[:2] = 0
    x[1].flatten()[0] = 1
    if name in ("grelu", "orthogonal-convolution"):
        x = x[0]
    known = dict(module.named_parameters()) | dict(module.named_children())
    # Parameters by name: other values, or a line that left one out would be right by chance.
    if set(re.findall(r"[a-z]\w*", line)) & set(known):
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    torch.manual_seed(0)
    given = eval(line, {"torch": torch, "colu": colu, "x": x, "adjacency": ADJACENCY} | known)
    wanted = module(x, ADJACENCY) if name == "grelu" else module(x)
    torch.testing.assert_close(given, wanted, rtol=1e-12, atol=1e-12)
    own = re.fullmatch(r"torch\.(nn\.functional\.)?\w+\(x[^()]*\)|torch\.nn\.[A-Z]\w+\(.*\)\(x\)", line)
    assert PAGES[name].own == bool(own)


@pytest.mark.parametrize("name", PAGES)
def test_monotone_as_measured(name):
    if name not in POINTWISE:
        assert PAGES[name].monotone is None
        return
    x = torch.linspace(-10, 10, 4001)[:, None].expand(-1, CHANNELS)
    steps = unit(name)(x).diff(dim=0)
    one_way = (steps >= -1e-12).all(0) | (steps <= 1e-12).all(0)
    assert PAGES[name].monotone == bool(one_way.all())


@pytest.mark.parametrize("name", PAGES)
def test_bounded_as_measured(name):
    x = samples(name, 1000)
    # Half of them far along the diagonal, where nothing is left of what a normalisation divides by.
    x[::2] = x[::2].flatten(1)[:, :1].reshape(-1, *[1] * (x.dim() - 1)) + 1e-6 * x[::2]
    above = below = True
    # Bounded only if it is so for whatever start.
    for seed in range(4):
        near, far = (function(name, seed)(size * x) for size in (1e3, 1e6))
        above &= bool(far.max() - near.max() < 1)
        below &= bool(near.min() - far.min() < 1)
    words = {(False, False): "none", (False, True): "above", (True, False): "below", (True, True): "both"}
    assert PAGES[name].bounded == words[below, above]


def jump(g, t, h, order):
    """How far a derivative of ``g`` on the right of ``t`` is from that on the left, by differences of width ``h``."""
    if order == 0:
        difference = g(t + h) - g(t - h)
    else:
        weights = [(-1) ** (order - i) * comb(order, i) for i in range(order + 1)]
        right = sum(weight * g(t + i * h) for i, weight in enumerate(weights))
        left = sum(weight * g(t - (order - i) * h) for i, weight in enumerate(weights))
        difference = (right - left) / h**order
    return difference.abs()


def jumps(g, start, order):
    """Whether a derivative of that order jumps at one of the starts or near it."""
    t, h = start, 2.0**-5
    while True:
        # A smooth function gives less as h falls and a jump does not: go where it is largest.
        places = torch.stack([t + share * h for share in (0, -1.5, -0.75, 0.75, 1.5)])
        heights = torch.stack([jump(g, place, h, order) for place in places])
        t = places.gather(0, heights.argmax(0, keepdim=True))[0]
        if h <= (2.0**-30, 2.0**-22, 2.0**-14, 2.0**-12)[order]:
            break
        h /= 2
    # Small jumps are hidden by the curve around them, and most are at round numbers.
    for place in (t, start):
        found, wider = jump(g, place, h, order), jump(g, place, 4 * h, order)
        if ((found > (1e-6, 1e-6, 1e-3, 1e-1)[order]) & (found > 0.7 * wider)).any():
            return True
    return False


def lines(name):
    """The unit along straight lines, one of them through 0: from times to the sizes of what comes out."""
    f, count = function(name), 4
    middle, direction = samples(name, 2 * count).chunk(2)
    middle[0] = 0
    generator = torch.Generator().manual_seed(2)
    shape = f(middle).shape[1:]
    # One number of each output: a random mean of its entries.
    readout = torch.randn(shape, generator=generator)

    def along(t):
        points = middle + t.reshape(*t.shape, *[1] * (middle.dim() - 1)) * direction
        out = f(points.flatten(0, 1)) if t.dim() > 1 else f(points)
        return (out * readout).reshape(len(out), -1).sum(1).reshape(t.shape)

    steps = 13 if name in SHAPES else 49
    return along, torch.linspace(-3, 3, steps)[:, None].expand(-1, count)


@pytest.mark.parametrize("name", PAGES)
def test_smoothness_as_measured(name):
    if name in POINTWISE:
        g, start = function(name), torch.linspace(-6.5, 6.5, 105)[:, None].expand(-1, CHANNELS)
    else:
        g, start = lines(name)
    # Where a deviation is divided by, third derivatives are too large to tell from jumps.
    words = ("jump", "kink", "C1", "C2")[: 4 if name in POINTWISE else 3]
    measured = next((word for order, word in enumerate(words) if jumps(g, start, order)), "smooth")
    assert PAGES[name].smoothness == measured


def test_the_measure_sees_each_kind():
    start = torch.linspace(-1, 1, 33)
    kinds = {"jump": 0, "kink": 1, "C1": 2, "C2": 3}
    for kind, order in kinds.items():
        # The place is no number of the grid.
        f = lambda t, order=order: (t - 0.3137).clamp(min=0) ** order * (t > 0.3137) + t.sin()  # noqa: E731
        assert [word for word, k in kinds.items() if jumps(f, start, k)][0] == kind
    assert not any(jumps(torch.sin, start, order) for order in range(4))
