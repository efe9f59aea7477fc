"""Verdicts on statements in print: protocols before runs, gates before words, one rule for all."""

from .again import PATHS, Choice, Draw, choose, draw, expected_seconds, measure, name_of, parse_seconds, run_again
from .campaign import Left, left_of_protocols, run_missing
from .cards import command_of, difference_text, verdict_cards
from .family import Family, judge_together
from .gates import Below, Needs, Passed, Reaches, one_processor
from .judge import Judgement, judge_all, judge_exploratory, judge_family, judge_state
from .lint import lint_protocols
from .protocol import CONTROLS, Protocol, Test, Tuning, load_protocols, read_protocol
from .runs import State, configurations, state_of, tuning_configurations
from .statements import Exploratory, Printed, Question, Statement, load_statements
from .words import ANSWERS, WORDS, rate_word, word

__all__ = [
    "ANSWERS",
    "CONTROLS",
    "PATHS",
    "WORDS",
    "Below",
    "Choice",
    "Draw",
    "Exploratory",
    "Family",
    "Judgement",
    "Left",
    "Needs",
    "Passed",
    "Printed",
    "Protocol",
    "Question",
    "Reaches",
    "State",
    "Statement",
    "Test",
    "Tuning",
    "choose",
    "command_of",
    "configurations",
    "difference_text",
    "draw",
    "expected_seconds",
    "judge_all",
    "judge_exploratory",
    "judge_family",
    "judge_state",
    "judge_together",
    "left_of_protocols",
    "lint_protocols",
    "load_protocols",
    "load_statements",
    "measure",
    "name_of",
    "one_processor",
    "parse_seconds",
    "rate_word",
    "read_protocol",
    "run_again",
    "run_missing",
    "state_of",
    "tuning_configurations",
    "verdict_cards",
    "word",
]
