"""A rendered page, and a site that holds it."""

from __future__ import annotations

import base64

import pytest

from ..conftest import PNG

FORMULA = '<div class="math notranslate">\\[y = x^2\\]</div>'
CLAIM = (
    '<div class="claim admonition" id="claim-{0}"><p class="admonition-title">Claim 12.{0}</p><p>It holds.</p>'
    '<p class="claim-facts">measured 1<span class="claim-check"> The check.</span></p>'
    '<details class="fold fold-check"><summary>The check</summary><pre>secret_check()</pre></details></div>'
)
PAGE = f"""<!doctype html><html><body><article class="bd-article"><section id="top">
<h1>Cones<a class="headerlink" href="#top">#</a></h1>
<p><strong>Question.</strong> What is a cone?</p>
<p><strong>You will be able to</strong></p><ul><li><p>draw one;</p></li></ul>
<p><strong>Cost.</strong> Little.</p>
<div class="cell_input"><pre>secret_code()</pre></div>
<section id="first"><h2>First<a class="headerlink" href="#first">#</a></h2>
<p>Short one.
Second sentence, see <a href="#thm">the theorem</a> and <a href="11-b.html#x">another chapter</a>.</p>
{FORMULA}
<div class="proof theorem admonition" id="thm"><p class="admonition-title">Theorem 12.1</p>
<p>A cone is a cone.</p></div>
<div class="proof admonition" id="proof"><p>Proof. By looking.</p></div>
{CLAIM.format(1)}<details class="fold fold-badge"><summary>Claim 12.2 holds</summary>{CLAIM.format(2)}</details>
<div class="cell_output"><figure id="fig-a"><span class="figure-scroll" tabindex="0">
<picture><source srcset="../_images/dot-narrow.png" media="screen and (max-width: 640px)"/>
<img class="on-light" alt="a dot" src="../_images/dot.png" loading="lazy" style="min-width:400px"></picture>
<img class="on-dark" alt="a dot" src="../_images/dark.png"></span><figcaption>Fig.</figcaption>
</figure></div><p>What to see in it.</p>
<div class="drawing" id="drawing-scheme"><div role="img" aria-label="A scheme"><svg></svg></div>
<div class="drawing-caption"><p>How it goes.</p></div></div>
<div class="colu-slider" role="figure"><script>data</script></div>
</section>
<section id="fails"><h2>When it fails</h2><ul>{"".join(f"<li>case {n}</li>" for n in range(8))}</ul></section>
<section id="exercises"><h2>Exercises</h2>
<div class="exercise admonition" id="ex-a"><p class="admonition-title">Exercise 12.1 (★★ Draw)</p><section><p>Draw.</p>
<p><em>Expected:</em> a drawing.</p></section></div>
<details class="fold fold-hint"><summary>Hint 1 of 2</summary><p>A nudge.</p></details>
<details class="fold fold-hint"><summary>Hint 2 of 2</summary><p>A push.</p></details>
<div class="solution dropdown admonition"><p class="admonition-title">Solution to <a href="#ex-a">Exercise 12.1</a></p>
<section id="solution-content"><details class="fold fold-figure"><summary>The code of this figure</summary>
<div class="cell_input"><pre>draw()</pre></div></details>
<img class="on-light" src="../_images/dot.png"><img class="on-dark" src="../_images/dark.png">
<p>The solution.</p></section></div>
</section>
<section id="references"><h2>References</h2><p>A book.</p></section>
</section></article></body></html>"""


WRITTEN = """<section data-show="fig-a"><header><div class="c"><p>What is <em>seen</em></p></div></header>
<div class="text"><div class="c"><p>A dot, see <a href="#thm">it</a>.</p></div></div>
<div class="said"><div class="c"><p>Point at the dot.</p></div></div></section>
<section data-show=""><header><div class="c"><p>The formula</p></div></header>
<div class="text"><div class="c"><p>Only <a href="11-b.html#x">words</a>.</p></div></div>
<div class="said"><div class="c"><p>Say more.</p></div></div></section>
<section data-show="thm"><header><div class="c"><p>The theorem</p></div></header>
<div class="text"><div class="c"></div></div><div class="said"><div class="c"><p>Prove it.</p></div></div></section>
"""


@pytest.fixture
def written() -> str:
    """The slides of its notebook, as the page's writer leaves them."""
    return WRITTEN


@pytest.fixture
def page() -> str:
    """The page of a chapter."""
    return PAGE


@pytest.fixture
def site(tmp_path):
    for name in ("notebooks", "_images", "_static/mathjax/fonts"):
        (tmp_path / "site" / name).mkdir(parents=True)
    site = tmp_path / "site"
    (site / "index.html").write_text("<h1>I</h1>")
    (site / "notebooks" / "12-a.html").write_text(PAGE)
    (site / "_static" / "favicon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    mathjax = "window.MathJax = {startup: {promise: Promise.resolve()}}"
    (site / "_static" / "mathjax" / "tex-chtml.js").write_text(mathjax)
    (site / "_static" / "mathjax" / "fonts" / "f.woff").write_text("")
    (site / "_images" / "dot.png").write_bytes(base64.b64decode(PNG))
    (site / "_images" / "dark.png").write_bytes(base64.b64decode(PNG))
    return site
