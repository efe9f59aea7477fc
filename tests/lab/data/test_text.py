"""Texts: the descriptions that scikit-learn brings."""

from colu.lab import data


def test_the_descriptions_are_those_of_scikit_learn():
    from sklearn import datasets

    names = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
    wanted = "\n".join(getattr(datasets, f"load_{name}")().DESCR for name in names)
    parts = [data.load_text("descriptions", split) for split in ("train", "test")]
    assert "".join(part.decode(part.tokens) for part in parts) == wanted
