"""Judgements as cards of a page: statement, interval against the printed figure, scale, word and command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from colu.lab.experiments import rerun_commands

from .judge import Judgement
from .words import WORDS

__all__ = ["command_of", "difference_text", "unit_of", "verdict_cards"]

#: Half the width of a card's drawing, in its own units.
_WIDTH, _HEIGHT = 200, 34


def unit_of(metric: str) -> str:
    """The unit of a metric, by its name; empty where it has none.

    Examples
    --------
    >>> [unit_of(m) for m in ("test_accuracy", "test_nats", "cap_max_error")]
    ['points', 'nats', '']
    """
    parts = set(metric.partition("@")[0].split("_"))
    if "accuracy" in parts:
        return "points"
    return "nats" if parts & {"nats", "barrier"} or metric in ("test_loss", "train_loss", "train_loss_last") else ""


def _metric(judgement: Judgement) -> str:
    if judgement.test:
        return judgement.test.metric
    ours = judgement.statement.exploratory
    return ours.metric if ours else ""


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")


def difference_text(judgement: Judgement) -> str:
    """The mean difference, half its interval, unit and number; empty where there is none.

    The unit is that of the metric: percentage points of accuracy, nats; nothing for errors.
    """
    d = judgement.difference
    if d is None:
        return ""
    unit = unit_of(_metric(judgement))
    return f"{_signed(d.mean)} ± {d.half_width:.2g}{' ' + unit if unit else ''}, n = {d.n}"


def command_of(judgement: Judgement) -> list[str]:
    """What makes the runs of a statement; none where nothing here does."""
    if judgement.protocol:
        return [f"colu campaign --only {judgement.protocol.name}"]
    ours = judgement.statement.exploratory
    if ours is None:
        return []
    compared = [r for r in judgement.records if r.arm in (ours.arm, ours.baseline)]
    return rerun_commands(compared) or [ours.command]


def _drawing(judgement: Judgement) -> str:
    """Interval, 0, margin and printed difference on one line; what it shows stands beside it in words."""
    d, printed = judgement.difference, judgement.statement.printed
    if d is None:
        return ""
    ends = [0.0, d.low, d.high, *([printed.effect] if printed else [])]
    reach = max(map(abs, ends)) or 1.0
    place = lambda v: round(_WIDTH / 2 * (1 + 0.92 * v / reach), 1)  # noqa: E731
    middle = _HEIGHT / 2
    parts = [f'<line class="zero" x1="{place(0)}" x2="{place(0)}" y1="3" y2="{_HEIGHT - 3}"/>']
    if judgement.margin and judgement.margin <= reach:
        low, high = place(-judgement.margin), place(judgement.margin)
        box = f'x="{low}" y="6" width="{round(high - low, 1)}" height="{_HEIGHT - 12}"'
        parts.insert(0, f'<rect class="margin" {box}/>')
    parts.append(f'<line class="interval" x1="{place(d.low)}" x2="{place(d.high)}" y1="{middle}" y2="{middle}"/>')
    parts.append(f'<circle class="mean" cx="{place(d.mean)}" cy="{middle}" r="4"/>')
    words = f"our difference {difference_text(judgement)}"
    if printed:
        x = place(printed.effect)
        parts.append(f'<path class="printed" d="M{x} {middle - 6}l5 6l-5 6l-5 -6z"/>')
        words += f"; printed {_signed(printed.effect)}"
    label = escape(words, quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _numbers(judgement: Judgement) -> str:
    """Arm minus baseline, ours and the printed one."""
    text, printed = difference_text(judgement), judgement.statement.printed
    parts = [f"ours {text}"] if text else []
    parts += [f"printed {_signed(printed.effect)}"] if printed else []
    return f'<p class="verdict-numbers">arm minus baseline: {escape("; ".join(parts))}</p>' if parts else ""


def _facts(judgement: Judgement) -> Iterable[tuple[str, str]]:
    statement = judgement.statement
    if any(r.count for r in judgement.failed):
        yield "runs that failed", escape(f"arm {judgement.failed[0]}; baseline {judgement.failed[1]}")
    if judgement.p_value is not None:
        yield "p, corrected", f"{judgement.p_value:.2g}; of equality {judgement.equivalence_p_value:.2g}"
    if judgement.margin:
        yield "margin", f"{judgement.margin:g}"
    if scale := judgement.scale():
        yield "scale", escape(scale)
    if ours := statement.exploratory:
        yield "setting", escape(ours.setting)
    if judgement.reasons:
        yield "why", escape("; ".join(judgement.reasons))
    if (
        statement.needs
        and judgement.word in ("not tested", "regime not reached")
        and judgement.reasons != (statement.needs,)
    ):
        yield "what it would take", escape(statement.needs)
    if passed := [gate.found for gate in judgement.gates if gate.holds]:
        yield "gates that hold", escape("; ".join(passed))
    if judgement.protocol:
        name, version = judgement.protocol.name, judgement.protocol.version
        yield "protocol", f"<code>results/protocols/{name}.yml</code>, version {version}"
    if lines := command_of(judgement):
        commands = [line for line in lines if line.startswith(("colu", "torchrun"))]
        block = f'<div class="highlight"><pre>{escape(chr(10).join(commands))}</pre></div>' if commands else ""
        yield "command", block + "<br>".join(escape(line) for line in lines if line not in commands)


def _card(judgement: Judgement, paper: str) -> str:
    statement = judgement.statement
    where = f"{paper}, {statement.where}" + (f", as cited by {statement.cited_by}" if statement.cited_by else "")
    facts = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in _facts(judgement))
    kind = WORDS.index(judgement.word)
    return (
        f'<article class="verdict-card" id="verdict-{statement.id}" data-paper="{escape(paper)}">'
        f'<p class="verdict-statement">{escape(statement.statement)} <cite>{escape(where)}</cite></p>'
        f'<p><strong class="verdict-word verdict-word-{kind}">{judgement.word}</strong></p>'
        f"{_drawing(judgement)}{_numbers(judgement)}"
        f"<details><summary>what it rests on</summary><dl>{facts}</dl></details></article>"
    )


def verdict_cards(judged: Mapping[str, Judgement], papers: Mapping[str, str]) -> str:
    """HTML of all cards, with buttons that show one paper's alone; without style sheets it is a list.

    Parameters
    ----------
    judged : mapping of str to Judgement
        Of :func:`colu.lab.verdicts.judge_all`.
    papers : mapping of str to str
        A short name for each source.

    Raises
    ------
    KeyError
        For a source without a name.
    """
    names = list(dict.fromkeys(papers[j.statement.source] for j in judged.values()))
    buttons, rules = [], []
    for k, name in enumerate(["all papers", *names]):
        checked = " checked" if k == 0 else ""
        buttons.append(f'<label><input type="radio" name="paper" id="paper-{k}"{checked}> {escape(name)}</label>')
        if k:
            others = f'.verdict-card:not([data-paper="{escape(name)}"])'
            rules.append(f".verdict-cards:has(#paper-{k}:checked) {others} {{ display: none; }}")
    body = "".join(_card(j, papers[j.statement.source]) for j in judged.values())
    return (
        f"<style>{' '.join(rules)}</style>"
        '<div class="verdict-cards"><fieldset class="verdict-papers"><legend>Show</legend>'
        f"{''.join(buttons)}</fieldset>{body}</div>"
    )
