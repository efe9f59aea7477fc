"""Citations come in one order, and their styles are looked up once."""

from types import SimpleNamespace

import pybtex.plugin
from pybtex.style.formatting.plain import Style

from colu.press.site.citations import PLUGINS, order, setup


def test_citations_come_in_the_order_of_the_pages_in_whatever_order_these_were_read():
    lists = [SimpleNamespace(bibliography_key=SimpleNamespace(docname=name)) for name in ("60", "20", "60", "34")]
    domain = SimpleNamespace(data={"citations": list(lists)})
    order(None, SimpleNamespace(get_domain={"cite": domain}.get))
    assert domain.data["citations"] == [lists[1], lists[3], lists[0], lists[2]]


def test_a_style_that_was_looked_up_is_not_looked_for_again(monkeypatch):
    monkeypatch.setattr(pybtex.plugin, "_RUNTIME_PLUGINS", {})
    setup(SimpleNamespace(connect=lambda *words, **options: None))
    monkeypatch.setattr(pybtex.plugin, "entry_points", lambda **words: 1 / 0)
    for group, name in PLUGINS:
        assert pybtex.plugin.find_plugin(group, name).__module__.startswith("pybtex")
    Style()  # asks for three more
