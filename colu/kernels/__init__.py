"""Fused ways to compute the conic activations, each checked against :mod:`colu.functional`.

One rule decides, in this order, and :func:`explain` tells the outcome:

1. ``reference``, plain torch operations: for options that only it has, under ``torch.func`` and forward-mode
   differentiation, for tensor subclasses and while operations are traced;
2. ``triton``: CUDA tensors, where Triton is installed;
3. ``fused``: CPU tensors, by a C library that is built at first use with ``cc`` and cached;
4. ``blocked``: CPU tensors, by torch operations on pieces that stay in cache, where there is no library;
5. ``reference`` otherwise.

``backend=`` of the functions forces one; if that is not available, it is an error.
All save only the input for the backward pass, and a gradient that is differentiated again goes through the reference.
Inside ``torch.compile`` the reference is compiled, but for channels innermost and cones of 3 to 31 entries
on the CPU, where the compiler's code is slow and the C kernel is called as an opaque operator;
``torch.export`` sees only the reference.

Values, gradients, zeros, ties, NaN and infinity are those of the reference up to rounding, with four exceptions:
near the ends of the range of numbers the reference over- or underflows in places where the fused path does not;
the projection's gradient at infinite entries may be finite where that of the reference is not;
for entries that differ in rounding alone from a tie either side may be taken;
and on processors with bfloat16 instructions a bfloat16 result under 1.2e-38 may be zero.

Importing builds and loads nothing.
``COLU_CACHE`` names the cache folder (otherwise ``~/.cache/colu``), where they lie in ``kernels``; ``CC`` the compiler.
"""

from .dispatch import Explanation, explain

__all__ = ["Explanation", "explain"]
