"""Nothing comes from another host."""

from colu.press.site.offline import figure_html


def test_only_a_page_with_a_plotly_figure_loads_plotly_and_all_load_it_locally(good):
    assert 'src="../_static/plotly.min.js' in good.html("notebooks/10-a.html")
    assert "plotly.min.js" not in good.html("notebooks/11-b.html")
    assert (good.out / "_static/plotly.min.js").stat().st_size > 1e6


def test_mathjax_is_local(good):
    assert 'src="../_static/mathjax/tex-chtml.js' in good.html("notebooks/10-a.html")
    assert (good.out / "_static/mathjax/tex-chtml.js").exists()
    assert list((good.out / "_static/mathjax/output/chtml/fonts").rglob("*.woff"))


def test_figure_data_cannot_end_its_script():
    html = figure_html({"data": [{"name": "</script><b>"}]}, "f", 'a "quoted" <name>')
    assert html.count("</script>") == 1
    assert 'aria-label="a &quot;quoted&quot; &lt;name&gt;"' in html
