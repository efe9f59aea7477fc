"""A chapter as a plain notebook: what Jupyter, Colab and Binder show without the book's own syntax.

Claims, theorems and exercises become quotations and headings, citations and cross-references links to the site, glued
numbers their digits, solutions lines that open. The outputs stay.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from colu.claims import load_expectations
from colu.claims.ledger import numbered
from colu.press.interactive import FOLDER, read_interactive
from colu.press.layers import CHECK, LAYERS, LIVE, layer_of
from colu.press.myst import Block
from colu.press.notebook import Cell, Notebook, parted_hints
from colu.press.project import BookError, Project
from colu.press.quiz import HEADING, INTRO, LETTERS, Question, quiz_path, read_quiz, with_questions

__all__ = ["Shelf", "plain_notebook"]

_ROLE = re.compile(r"\{([\w:-]+)\}`([^`]*)`")
_TITLED = re.compile(r"^(.*?)\s*<([^<>]+)>$", re.DOTALL)
#: What LaTeX reads as something else than itself.
_LATEX = re.compile(r"[\\{}~$%&#^_`']|--")
_PREFIX = "application/papermill.record/text/plain"
#: What is numbered by its own count in each chapter, and what the number stands behind.
_STATEMENTS = ("theorem", "proposition", "lemma", "corollary", "definition")
_DISPLAYED = re.compile(r"\$\$.*?\$\$", re.DOTALL)
#: How a drawing looks in a dark mode; inside a notebook it stands on white, whatever the system's mode is.
_DARK = re.compile(r"\s*@media \(prefers-color-scheme: dark\) \{.*?\}\s*\}", re.DOTALL)
#: Anything of MyST that a plain notebook must not hold.
LEFT = re.compile(r"\{[\w:-]+\}`|^[\s>]*(?:`{3,}|:{3,})\s*\{[\w:-]+\}", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One entry of the bibliography: who, when, the whole of it as a line, and where it can be read."""

    names: str
    year: str
    line: str
    url: str


def _said(text: str) -> str:
    """What LaTeX stands for: ``Sch{\\"o}nemann`` as Schönemann."""
    # Its reader takes hundredths of a second, and most texts hold no LaTeX.
    if not _LATEX.search(text):
        return text
    from pybtex.richtext import Text

    return Text.from_latex(text).render_as("text")


def _source(entry) -> Source:
    from pybtex.database import Person

    people: list[Person] = entry.persons.get("author") or entry.persons.get("editor") or []
    last = [_said(" ".join(person.prelast_names + person.last_names)) for person in people]
    names = last[0] if len(last) == 1 else " and ".join(last) if len(last) == 2 else f"{last[0]} et al." if last else ""
    # An address is no LaTeX.
    plain = ("url", "doi", "eprint")
    field = {key.lower(): value if key.lower() in plain else _said(value) for key, value in entry.fields.items()}
    url = field.get("url") or (f"https://doi.org/{field['doi']}" if "doi" in field else "")
    if not url and field.get("eprint"):
        url = f"https://arxiv.org/abs/{field['eprint']}"
    place = field.get("journal") or field.get("booktitle") or field.get("publisher") or field.get("howpublished") or ""
    every = ", ".join(_said(str(person)) for person in people)
    parts = (every, field.get("title", ""), place, field.get("year", ""))
    line = ". ".join(part.removesuffix(".") for part in parts if part)
    return Source(names or entry.key, field.get("year", ""), f"{line}.", url)


class Shelf:
    """All chapters, and where what they refer to stands.

    Parameters
    ----------
    project : Project
    copies : Path
        The folder of executed copies.
    preset : {"smoke", "laptop", "full"}
        Of those copies.
    ledger : Path, optional
        The folder of expectations; that of the project by default.
    """

    def __init__(self, project: Project, copies: Path, preset: str = "smoke", ledger: Path | None = None) -> None:
        self.project, self.copies, self.preset = project, copies, preset
        self.ledger = ledger or project.ledger
        self._copies: dict[str, Notebook] = {}

    @cached_property
    def _addresses(self) -> tuple[str, str]:
        config = yaml.safe_load((self.project.root / "_config.yml").read_text(encoding="utf8"))
        site, repository = (config.get("html") or {}).get("baseurl"), (config.get("repository") or {}).get("url")
        if not site or not repository:
            raise BookError("_config.yml lacks html.baseurl or repository.url, to which plain notebooks link")
        return site.rstrip("/") + "/", repository

    address = property(lambda self: self._addresses[0], doc="Of the published site, with a slash at its end.")
    repository = property(lambda self: self._addresses[1], doc="The address of the repository.")

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The bibliography by key."""
        from pybtex.database import parse_file

        entries = parse_file(str(self.project.pages / "references.bib")).entries
        return {key: _source(entry) for key, entry in entries.items()}

    def copy(self, name: str) -> Notebook:
        """The executed copy of a chapter."""
        if name not in self._copies:
            path = self.copies / f"{name}.ipynb"
            if not path.is_file():
                raise BookError(f"{path} is missing, whose numbers a text has: run 'make book' first")
            self._copies[name] = Notebook.read(path)
        return self._copies[name]

    def committed(self, name: str) -> Notebook:
        """A chapter as committed."""
        return Notebook.read(self.project.notebooks / f"{name}.ipynb")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The chapters in their order."""
        return tuple(sorted(path.stem for path in self.project.notebooks.glob("*.ipynb")))

    def title(self, name: str) -> str:
        """Number and title of a chapter."""
        notebook = self.committed(name)
        return f"{notebook.number} {notebook.title}"

    @cached_property
    def labels(self) -> dict[str, tuple[str, str]]:
        """Label -> what it is called, and its address on the site."""
        found = {}
        for name in self.names:
            page = f"{self.address}notebooks/{name}.html"
            for label, text in _numbers(self.committed(name)).items():
                found[label] = (text, f"{page}#{label}")
        return found

    @cached_property
    def claims(self) -> dict[str, str]:
        """Claim -> its number."""
        return numbered(load_expectations(self.ledger))


def _numbers(notebook: Notebook) -> dict[str, str]:
    """What stands in a chapter under a label, by its name on the page: ``Theorem 12.1``."""
    counts: Counter[str] = Counter()
    found = {}
    for cell in notebook.cells:
        if cell.kind == "code" and cell.figure.caption:
            counts["figure"] += 1
            if cell.figure.name:
                found[cell.figure.name] = f"Fig. {notebook.number}.{counts['figure']}"
        for block in cell.blocks:
            kind = block.kind.removeprefix("prf:")
            if kind in _STATEMENTS or kind == "exercise":
                counts[kind] += 1
                if label := block.options.get("label"):
                    found[label] = f"{kind.capitalize()} {notebook.number}.{counts[kind]}"
    return found


def drawn_on_white(svg: str) -> str:
    """Return a drawing for a page of unknown colour: as wide as drawn, on white, without dark mode and idle space."""
    svg = re.sub(r'(viewBox="0 0 ([\d.]+) ([\d.]+)")', r'\1 width="\2" height="\3"', svg, count=1)
    light = _DARK.sub("", svg).replace("</style>", "  .drawn { background: #fff; }\n</style>", 1)
    return re.sub(r"\s*\n\s*", "\n", light).strip()


def _glued(notebook: Notebook) -> dict[str, str]:
    """What the cells of an executed notebook hand to the prose: name -> the text of a number."""
    return {
        output["metadata"]["scrapbook"]["name"]: output["data"][_PREFIX]
        for cell in notebook.cells
        for output in cell.outputs
        if _PREFIX in output.get("data", {}) and "scrapbook" in output.get("metadata", {})
    }


class _Writer:
    """Writes the prose of one chapter without the book's syntax."""

    def __init__(self, notebook: Notebook, shelf: Shelf, embed: bool) -> None:
        self.notebook, self.shelf, self.embed = notebook, shelf, embed
        self.held: list[str] = []
        self.glued = _glued(notebook)
        self.counts: Counter[str] = Counter()
        self.cited: dict[str, None] = {}

    def roles(self, text: str) -> str:
        """Replace the roles of a text."""
        return _ROLE.sub(self._role, text)

    def _role(self, match: re.Match) -> str:
        role, content = match.groups()
        titled = _TITLED.match(content)
        said, target = (titled[1], titled[2]) if titled else ("", content)
        write: Mapping[str, Callable[[str, str], str]] = {
            "doc": self._chapter,
            "numref": self._label,
            "prf:ref": self._label,
            "ref": self._label,
            "claim": self._claim,
            "func": lambda said, target: f"`{said or target.removeprefix('~').rsplit('.', 1)[-1]}`",
            "cite:p": lambda _, keys: "[" + "; ".join(self._cited(key, "{}, {}") for key in keys.split(",")) + "]",
            "cite:t": lambda _, keys: " and ".join(self._cited(key, "{} ({})") for key in keys.split(",")),
            "glue:text": lambda _, name: self._glue(name),
            "state": lambda said, target: f"[{said}]({self._figure(*target.split('?', 1))})",
        }
        if role not in write:
            raise BookError(f"{self.notebook.name}: the plain form has nothing for {match[0]}")
        return write[role](said, target)

    def _chapter(self, said: str, target: str) -> str:
        name = target.rsplit("/", 1)[-1]
        if name in self.shelf.names:
            return f"[{said or self.shelf.title(name)}]({self.shelf.address}notebooks/{name}.html)"
        return f"[{said or name}]({self.shelf.address}book/{name}.html)"

    def _figure(self, name: str, query: str = "") -> str:
        """Where an interactive figure stands on the site."""
        return f"{self.shelf.address}book/{FOLDER}/{name}.html#lab-{name}?{query}"

    def _label(self, said: str, target: str) -> str:
        if target not in self.shelf.labels:
            raise BookError(f"{self.notebook.name} refers to {target!r}, which no chapter has as a label")
        text, url = self.shelf.labels[target]
        return f"[{said or text}]({url})"

    def _claim(self, said: str, claim: str) -> str:
        expectation = load_expectations(self.shelf.ledger)[claim]
        url = f"{self.shelf.address}notebooks/{expectation.notebook}.html#claim-{claim}"
        return f"[{said or f'Claim {self.shelf.claims[claim]}'}]({url})"

    def _cited(self, key: str, form: str) -> str:
        key = key.strip()
        if key not in self.shelf.sources:
            raise BookError(f"{self.notebook.name} cites {key!r}, which the bibliography does not have")
        self.cited[key] = None
        source = self.shelf.sources[key]
        text = form.format(source.names, source.year)
        return f"[{text}]({source.url})" if source.url else text

    def _glue(self, content: str) -> str:
        path, _, rest = content.rpartition("::")
        name, _, form = rest.partition(":")
        values = _glued(self.shelf.copy(Path(path).stem)) if path else self.glued
        if name not in values:
            raise BookError(f"{self.notebook.name} glues {name!r}, which no cell hands on")
        text = values[name].strip("'\"")
        return format(float(text), form) if form and form != "s" else text

    def block(self, block: Block) -> str:
        """One directive as Markdown; a slide is for the deck alone."""
        if block.kind == "slide":
            return ""
        text = self.roles(block.text)
        kind = block.kind.removeprefix("prf:")
        if kind == "claim":
            return self._quoted(f"Claim {self.shelf.claims[block.title]}", f"{text}\n\n{self._verdict(block.title)}")
        if kind in _STATEMENTS:
            self.counts[kind] += 1
            name = f"{kind.capitalize()} {self.notebook.number}.{self.counts[kind]}"
            return self._quoted(name + (f" ({self.roles(block.title)})" if block.title else ""), text)
        if kind == "proof":
            return _opened("Proof", text)
        if kind == "admonition":
            return self._quoted(self.roles(block.title), text)
        if kind == "exercise":
            self.counts[kind] += 1
            return f"### Exercise {self.notebook.number}.{self.counts[kind]} {self.roles(block.title)}\n\n{text}"
        if kind == "hints":
            parts = parted_hints(text.splitlines())
            opened = (_opened(f"Hint {n} of {len(parts)}", "\n".join(part).strip()) for n, part in enumerate(parts, 1))
            return "\n\n".join(opened)
        if kind == "drawing":
            return f"![{block.options.get('alt', '')}]{self._drawing(block.title)}\n\n{text}"
        if kind == "opening":
            return f"{text} (below: {self._label('', block.title)})"
        if kind == "interactive":
            figure = read_interactive(self.shelf.project.pages, block.title)
            where = f"[On the book's site]({self._figure(figure.name)}) this can be tried out."
            return self._quoted(figure.question, f"{figure.finding}\n\n{where}")
        if kind == "bibliography":
            return "\n".join(
                self._entry(key) for key in sorted(self.cited, key=lambda key: self.shelf.sources[key].line)
            )
        raise BookError(f"{self.notebook.name}: the plain form has nothing for the directive {{{block.kind}}}")

    def _drawing(self, name: str) -> str:
        """Where the notebook finds a drawing: in itself, or on the site."""
        if not self.embed:
            return f"({self.shelf.address}_static/drawings/{name}.svg)"
        path = self.shelf.project.pages / "_static" / "drawings" / f"{name}.svg"
        if not path.is_file():
            raise BookError(f"{self.notebook.name} shows the drawing {name!r}, and there is no {path}")
        coded = base64.b64encode(drawn_on_white(path.read_text(encoding="utf8")).encode()).decode()
        self.held.append(f"[drawing-{name}]: data:image/svg+xml;base64,{coded}")
        return f"[drawing-{name}]"

    def ended(self, parts: list[str]) -> str:
        """The text of a cell: its parts, and behind them the drawings that they show."""
        held, self.held = self.held, []
        return "\n\n".join([*filter(str.strip, parts), *held])

    def _entry(self, key: str) -> str:
        source = self.shelf.sources[key]
        return f"- {source.line}" + (f" <{source.url}>" if source.url else "")

    def _verdict(self, claim: str) -> str:
        expectation = load_expectations(self.shelf.ledger)[claim]
        record = self.notebook.measured.get(claim)
        said = f"Expected {expectation.words(self.shelf.preset)}"
        if record is None:
            return f"*{said}.*"
        holds = "holds" if expectation.holds(record["measured"], self.shelf.preset) else "fails"
        return f"*{said}; measured {record['shown']}: {holds}.*"

    @staticmethod
    def _quoted(title: str, text: str) -> str:
        # Jupyter takes formulas out before it reads Markdown: the sign of a quotation inside one would be shown.
        text = _DISPLAYED.sub(lambda formula: " ".join(formula[0].split()), text)
        end = "" if title.endswith("?") else "."
        lines = f"**{title}{end}**\n\n{text}".splitlines()
        return "\n".join(f"> {line}".rstrip() for line in lines)


def _opened(line: str, text: str) -> str:
    """Text behind a line that opens."""
    return f"<details><summary>{line}</summary>\n\n{text}\n\n</details>"


def _lettered(texts: Iterable[str]) -> str:
    return "\n".join(f"- {letter}. {' '.join(text.split())}" for letter, text in zip(LETTERS, texts, strict=False))


def _asked(questions: Iterable[Question]) -> str:
    """The questions of a chapter as Markdown, and their answers behind a line that opens."""
    parts, answers = [f"## {HEADING}", INTRO], []
    for number, each in enumerate(questions, 1):
        parts += [f"**{number}.** {' '.join(each.ask.split())}", _lettered(option.text for option in each.options)]
        answers += [f"**{number}. {each.letter} is right.**", _lettered(option.why for option in each.options)]
    return "\n\n".join([*parts, _opened("The answers", "\n\n".join(answers))])


def _caption(cell: Cell, writer: _Writer) -> list[dict]:
    """The caption of a cell's figure as prose, since Jupyter shows none; empty for a cell without."""
    if not cell.figure.caption:
        return []
    writer.counts["figure"] += 1
    number = f"{writer.notebook.number}.{writer.counts['figure']}"
    text = f"**Fig. {number}.** {writer.roles(cell.figure.caption)}"
    return [{"cell_type": "markdown", "id": f"caption-{cell.id}"[:64], "metadata": {}, "source": text}]


def _install(repository: str) -> dict:
    """The cell that installs the package where a notebook is opened on Colab."""
    package = f'"colu[lab] @ git+{repository}"'
    source = f"import sys\n\n# On a computer of your own, once and in a terminal: pip install {package}\n"
    source += f'if "google.colab" in sys.modules:\n    %pip install -q {package}'
    tags = {"tags": ["nbval-ignore-output"], "jupyter": {"source_hidden": True}}
    parts = {"id": "install", "metadata": tags, "source": source, "outputs": [], "execution_count": None}
    return {"cell_type": "code"} | parts


def plain_notebook(notebook: Notebook, shelf: Shelf, *, embed: bool = False) -> Notebook:
    """The plain form of an executed chapter.

    Parameters
    ----------
    notebook : Notebook
        The executed copy.
    shelf : Shelf
    embed : bool
        Whether drawings stand in their cells, which Jupyter shows without a network. Colab shows no SVG that a cell
        holds, and Jupyter none that is an attachment.

    Raises
    ------
    BookError
        If the text has a role or a directive that the plain form cannot express; it names both.
    """
    if questions := read_quiz(quiz_path(shelf.project.pages, notebook.name)):
        notebook = with_questions(notebook, _asked(questions))
    writer, cells = _Writer(notebook, shelf, embed), []
    waiting = [_install(shelf.repository)]
    solution: list[str] | None = None
    for cell in notebook.cells:
        if "injected-parameters" in cell.tags:
            continue
        if cell.kind == "code":
            if solution is not None:
                solution.append(f"```python\n{cell.text}\n```")
            else:
                layer = layer_of(notebook, cell)
                hidden = {"jupyter": {"source_hidden": True}} if layer in LAYERS and layer != CHECK else {}
                if layer == LIVE:
                    hidden["jupyter"]["outputs_hidden"] = True
                node = cell.node | {"metadata": cell.metadata | hidden}
                # Before the first cell that runs.
                cells, waiting = cells + waiting, []
                cells += [node, *_caption(cell, writer)]
            continue
        lines, at, kept = cell.text.splitlines(), 0, []
        for block in cell.blocks:
            before, at = writer.roles("\n".join(lines[at : block.lines[0]])).strip("\n"), block.lines[1]
            (kept if solution is None else solution).append(before)
            if block.kind == "solution-start":
                solution = []
            elif block.kind == "solution-end":
                kept.append(_opened("Solution", "\n\n".join(part for part in solution or [] if part.strip())))
                solution = None
            else:
                (kept if solution is None else solution).append(writer.block(block))
        (kept if solution is None else solution).append(writer.roles("\n".join(lines[at:])).strip("\n"))
        if text := writer.ended(kept):
            cells.append(cell.node | {"source": text})
    made = notebook.with_cells(cells)
    for cell in made.cells:
        if cell.kind == "markdown" and (left := LEFT.search(cell.text)):
            raise BookError(f"{notebook.name}: {left[0].strip()!r} is left in the plain form of cell {cell.id}")
    return made
