"""The Triton kernel, run by its interpreter on the CPU."""

import os
import subprocess
import sys

import pytest
import torch

pytest.importorskip("triton")

PROGRAM = """
import itertools, math, random, torch
from colu.functional import colu, rcolu, soc_projection
from colu.kernels import explain

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-6, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}
PICKS, SHARE = PICKED, ONE_OF
# Drawn once where not all are taken: the interpreter is slow.
some = lambda *choices: random.Random(0).sample(whole := list(itertools.product(*choices)), len(whole) // SHARE)

def check(f, x, **options):
    g = torch.randn(x.shape, dtype=torch.float64).to(x.dtype)
    results = []
    for backend in ("triton", "reference"):
        z = x.detach().requires_grad_()
        y = f(z, **options, backend=backend)
        results.append((y.detach(), torch.autograd.grad(y, z, g)[0]))
    assert explain(x, f.__name__, backend="triton", **options).path == "triton"
    tolerance = TOLERANCE[x.dtype]
    for got, want, factor in zip(*results, (1, 8)):
        torch.testing.assert_close(got, want, rtol=factor * tolerance, atol=factor * tolerance, equal_nan=True)

torch.manual_seed(0)
if "values" in PICKS:
    for size, scaling, dtype, f in some((2, 3, 4, 16), ("hard", "soft"), TOLERANCE, (colu, rcolu)):
        for shape in ((5, 2 * size), (2, 2 * size, 3, 5), (2, 2 * size, 7, 7)):
            check(f, (3 * torch.randn(shape)).to(dtype), dim=size, scaling=scaling)
    check(colu, torch.randn(2, 8, 3, 3).to(memory_format=torch.channels_last), dim=4)
    check(colu, torch.zeros(0, 8), dim=4)
if "sizes" in PICKS:
    for f in (colu, rcolu):
        check(f, torch.randn(5, 12), dim=4, layout="axes_first")
        check(f, torch.randn(2, 12, 7), dim=4, layout="axes_first", angle=0.4, eps=0.1)
        check(f, torch.randn(2, 12, 5, 7), dim=4, layout="axes_first", angle=0.4, eps=0.1)
        check(f, torch.randn(2, 8, 40, 33), dim=4)
        check(f, torch.randn(2, 100, 18), dim=100)
        check(f, torch.randn(1, 300, 18), dim=300)
        check(f, 3 * torch.randn(2, 64, 5, 5), dim=32, layout="axes_first", angle=0.4, eps=0.1)
if "specials" in PICKS:
    values = [0.0, 1.0, -2.0, math.nan, math.inf, -math.inf, 1e-25, 1e18]
    x = torch.tensor(list(itertools.product(values, repeat=3)))
    check(colu, x, dim=3)
    check(colu, x, dim=3, scaling="soft")
    for size in (40, 300):
        wide = torch.zeros(1, size, len(x))
        wide[0, :3] = x.T
        check(colu, wide, dim=size)
    check(rcolu, torch.ones(1, 40, 17), dim=40)
    check(colu, torch.tensor([[5.0, 3, 4, 0], [-5, 3, 4, 0], [0, 3, 4, 0], [10, 6, 8, 0]]), dim=4)
if "shared" in PICKS:
    for size, scaling, dtype in some((2, 3, 4, 16), ("hard", "soft"), TOLERANCE):
        for shape in ((5, 1 + 3 * (size - 1)), (2, 1 + 3 * (size - 1), 3, 5)):
            check(colu, (3 * torch.randn(shape)).to(dtype), dim=size, scaling=scaling, share_axis=True)
    image = torch.randn(2, 7, 3, 5)
    check(colu, image.to(memory_format=torch.channels_last), dim=4, share_axis=True, angle=0.4, eps=0.1)
    check(colu, torch.randn(2, 3, 5, 7), dim=4, share_axis=True, channel_dim=-1)
    check(colu, torch.randn(2, 7, 5, 9), dim=4, share_axis=True)
    check(colu, 3 * torch.randn(2, 79, 5, 9), dim=40, share_axis=True)
    check(colu, 3 * torch.randn(1, 599, 5, 9), dim=300, share_axis=True)
    # More than one program, so that cones of one axis lie in several.
    check(colu, torch.randn(1, 1 + 700 * 3, 3), dim=4, share_axis=True)
if "projection" in PICKS:
    for axis, layout, dtype in some(("homogeneous", "coordinate"), ("blocks", "axes_first"), TOLERANCE):
        for shape in ((5, 6), (2, 6, 3, 5), (2, 6, 5, 5), (3, 1400), (1, 2, 50, 41)):
            x = (3 * torch.randn(shape)).to(dtype)
            check(soc_projection, x, axis=axis, layout=layout)
            check(soc_projection, x, axis=axis, layout=layout, angle=0.4, leak=0.1)
    check(soc_projection, torch.randn(2, 8, 3, 3).to(memory_format=torch.channels_last))
    for axis in ("homogeneous", "coordinate"):
        x = torch.tensor(list(itertools.product([0.0, 1.0, -2.0, math.nan, 1e-25, 1e18], repeat=2)))
        check(soc_projection, x, axis=axis)
        # Gradients at infinity differ, as for the C kernel.
        x = torch.tensor(list(itertools.product([0.0, 1.0, -2.0, math.nan, math.inf, -math.inf], repeat=2)))
        y, want = (soc_projection(x, axis=axis, backend=b) for b in ("triton", "reference"))
        torch.testing.assert_close(y, want, equal_nan=True)
if "second" in PICKS:
    x = torch.randn(3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda v: colu(v, backend="triton"), x)
"""


@pytest.mark.parametrize("what, one_of", [
    (("values", "specials"), 16),
    pytest.param(("values", "sizes"), 1, marks=pytest.mark.long),
    pytest.param(("specials", "shared", "projection", "second"), 1, marks=pytest.mark.long),
], ids=["a few values", "all values", "all else"])  # fmt: skip
def test_interpreted_kernel_is_the_reference(what, one_of):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = PROGRAM.replace("PICKED", repr(what)).replace("ONE_OF", str(one_of))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


AHEAD = """
import itertools, warnings
warnings.simplefilter("ignore")
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from colu.kernels import _triton_kernel as module

def build(kernel, kind, **constants):
    def of(name):
        if name in constants:
            return "constexpr"
        if name.endswith("pointer"):
            return "*fp32" if name == "extra_pointer" else f"*{kind}"
        return "i32" if name in ("cones", "groups", "inner") else "fp32"
    source = ASTSource(kernel, {name: of(name) for name in kernel.arg_names}, constants)
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    assert ".target sm_90" in made.asm["ptx"] and len(made.asm["cubin"]) > 1000
    assert ".local" not in made.asm["ptx"], "registers are spilled"

common = dict(AXES_FIRST=False, DOUBLE=False, LARGE=False)
kinds = ("fp32", "bf16")
if not SWAPPED:
    switches = dict(ROTATED=True, SHARED=False, SOFT=True, BACK=True, RUN=True, SECOND=False)
    build(module.conic_kernel, "bf16", SIZE=4, WIDTH=4, ROWS=512, **switches, **common)
for back, second, swapped in itertools.product((False, True), (False, True), SWAPPED):
    # Where not both orders are taken, each type meets each switch, not each pair: a kernel takes a second to compile.
    kind, other = kinds if (back == second) != swapped else kinds[::-1]
    switches = dict(HOMOGENEOUS=True, LEAKY=True, BACK=back, SECOND=second, RUN=not second)
    build(module.projection_kernel, kind, ROWS=1024, **switches, **common)
    for rotated, shared, soft in ((False, False, False), (False, True, False), (True, False, True)):
        switches = dict(ROTATED=rotated, SHARED=shared, SOFT=soft, BACK=back, RUN=not (second or shared))
        build(module.wide_kernel, other, SIZE=320, PLACES=512, **switches, **common)
        build(module.conic_kernel, kind, SIZE=4, WIDTH=4, ROWS=512, **switches, SECOND=second, **common)
"""


@pytest.mark.parametrize("swapped", [(), pytest.param((False, True), marks=pytest.mark.long)], ids=["one", "all"])
def test_kernels_compile_ahead_for_a_device_that_is_not_there(swapped, tmp_path):
    pytest.importorskip("triton.backends.nvidia.compiler")
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("TRITON_INTERPRET", None)
    program = AHEAD.replace("SWAPPED", repr(swapped))
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_without_the_interpreter_the_cpu_has_no_triton(monkeypatch):
    from colu.functional import colu
    from colu.kernels import explain

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    x = torch.zeros(2, 4)
    assert explain(x).rejected["triton"] == "the tensor is on cpu, not on a CUDA device"
    with pytest.raises(ValueError, match="not on a CUDA device"):
        colu(x, backend="triton")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernel_on_the_device_is_the_reference():
    from colu.functional import colu, rcolu

    for f in (colu, rcolu):
        x = torch.randn(64, 32, 9, 7, device="cuda", requires_grad=True)
        y, want = f(x, backend="triton"), f(x, backend="reference")
        torch.testing.assert_close(y, want)
        torch.testing.assert_close(torch.autograd.grad(y.sum(), x), torch.autograd.grad(want.sum(), x))
