"""What README and the page *Install and use the package* tell a reader to type runs as it stands, in their order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", "book/use.md"])
def test_the_code_of_a_page_runs(page):
    for library in ("torchvision", "timm", "transformers", "diffusers"):
        pytest.importorskip(library)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
        report = names.get("report")
        assert report is None or (report.changed and "rows" in report.proofs and not report.unproved), block
    if "fused" in names:
        naive, aligned = (names["fused"].report["curves"][way]["loss_barrier"] for way in ("naive", "aligned"))
        assert aligned < naive / 5, "the page says that the mean of the aligned networks is nearly as good as they are"
