"""Verdicts on statements in print: protocols before runs, gates before words, one rule for all."""

from .campaign import Left, left_of_protocols, run_missing
from .cards import command_of, difference_text, verdict_cards
from .gates import Below, Needs, Passed, Reaches, one_processor
from .judge import Judgement, judge_all, judge_exploratory, judge_family
from .lint import lint_protocols
from .protocol import CONTROLS, Protocol, Test, Tuning, load_protocols, read_protocol
from .runs import State, configurations, state_of, tuning_configurations
from .statements import Exploratory, Printed, Statement, load_statements
from .words import WORDS, rate_word, word

__all__ = [
    "CONTROLS",
    "WORDS",
    "Below",
    "Exploratory",
    "Judgement",
    "Left",
    "Needs",
    "Passed",
    "Printed",
    "Protocol",
    "Reaches",
    "State",
    "Statement",
    "Test",
    "Tuning",
    "command_of",
    "configurations",
    "difference_text",
    "judge_all",
    "judge_exploratory",
    "judge_family",
    "left_of_protocols",
    "lint_protocols",
    "load_protocols",
    "load_statements",
    "one_processor",
    "rate_word",
    "read_protocol",
    "run_missing",
    "state_of",
    "tuning_configurations",
    "verdict_cards",
    "word",
]
