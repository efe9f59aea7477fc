"""The first page shows the statements that have a word, as their chapter does."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from colu.lab.verdicts import judge_all, verdict_cards
from colu.press.site.findings import OPEN, read_cards


class _Papers(dict):
    def __missing__(self, key):
        return key


def test_every_card_is_read_with_its_word_and_its_difference(tmp_path):
    judged = judge_all(tmp_path)
    first = next(name for name, judgement in judged.items() if judgement.statement.exploratory)
    difference = SimpleNamespace(mean=0.5, half_width=0.25, low=0.25, high=0.75, n=7)
    judged[first] = replace(judged[first], word="opposite", difference=difference)
    page = verdict_cards(judged, _Papers())
    cards = dict(zip(judged, read_cards(page), strict=True))
    assert {name: card.word for name, card in cards.items()} == {name: j.word for name, j in judged.items()}
    assert all(cards[name].statement == judgement.statement.statement for name, judgement in judged.items())
    assert all(f'id="{card.anchor}"' in page for card in cards.values())
    assert cards[first].ours.startswith("+0.5 ± 0.25") and cards[first].ours.endswith("n = 7")
    assert all(card.word in OPEN and not card.ours for name, card in cards.items() if name != first)
