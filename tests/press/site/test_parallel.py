"""Pages are read and written in several processes, which every extension allows."""

from types import SimpleNamespace

from colu.press.site.parallel import SILENT, declare, order


def test_what_says_nothing_is_allowed_and_what_refuses_is_not_overruled():
    extensions = {
        SILENT[0]: SimpleNamespace(parallel_read_safe=None),
        SILENT[1]: SimpleNamespace(parallel_read_safe=False),
    }
    declare(SimpleNamespace(extensions=extensions), None)
    assert [extensions[name].parallel_read_safe for name in SILENT] == [True, False]
    declare(SimpleNamespace(extensions={}), None)


def test_citations_come_in_the_order_of_the_pages_in_whatever_order_these_were_read():
    lists = [SimpleNamespace(bibliography_key=SimpleNamespace(docname=name)) for name in ("60", "20", "60", "34")]
    domain = SimpleNamespace(data={"citations": list(lists)})
    order(None, SimpleNamespace(get_domain={"cite": domain}.get))
    assert domain.data["citations"] == [lists[1], lists[3], lists[0], lists[2]]
