"""Pages are read and written in several processes, which every extension allows."""

from types import SimpleNamespace

from colu.press.site.parallel import SILENT, declare


def test_what_says_nothing_is_allowed_and_what_refuses_is_not_overruled():
    extensions = {
        SILENT[0]: SimpleNamespace(parallel_read_safe=None),
        SILENT[1]: SimpleNamespace(parallel_read_safe=False),
    }
    declare(SimpleNamespace(extensions=extensions), None)
    assert [extensions[name].parallel_read_safe for name in SILENT] == [True, False]
    declare(SimpleNamespace(extensions={}), None)
