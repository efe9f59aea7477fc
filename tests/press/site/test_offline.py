"""Nothing comes from another host."""


def test_mathjax_is_local(good):
    assert 'src="../_static/mathjax/tex-chtml.js' in good.html("notebooks/10-a.html")
    assert (good.out / "_static/mathjax/tex-chtml.js").exists()
    assert list((good.out / "_static/mathjax/output/chtml/fonts").rglob("*.woff"))
