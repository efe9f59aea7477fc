"""A key changes exactly with what an executed copy depends on."""

from colu.press.build.keys import notebook_key
from colu.press.toc import select


def _keys(toy):
    return {path.stem: notebook_key(toy, path, "smoke") for path in select(toy)}


def _changed(before, after):
    return sorted(name for name in after if before[name] != after[name])


def test_key_changes_exactly_with_what_a_notebook_depends_on(toy):
    toy.write("01-one", "1")
    toy.write("02-two", "2")
    first = _keys(toy)
    assert _keys(toy) == first
    (toy.pages / "index.md").write_text("# Other\n")
    assert _keys(toy) == first
    own = toy.ledger / "01-one.yml"
    own.write_text(own.read_text().replace("0.001", "0.002"))
    second = _keys(toy)
    assert _changed(first, second) == ["01-one"]
    toy.write("02-two", "3")
    third = _keys(toy)
    assert _changed(second, third) == ["02-two"]
    (toy.package / "code.py").write_text("x = 2\n")
    fourth = _keys(toy)
    assert _changed(third, fourth) == ["01-one", "02-two"]
    toy.lock.write_text("torch==3\n")
    assert _changed(fourth, _keys(toy)) == ["01-one", "02-two"]
    assert notebook_key(toy, select(toy)[0], "laptop") != notebook_key(toy, select(toy)[0], "smoke")
