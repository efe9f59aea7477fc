"""Records of runs and the statistics made from them: mean, 95 % interval, n, and paired differences."""

from .compare import Comparison, compare_records
from .published import Judgement, Published, judge, load_published
from .records import (
    Record,
    RecordError,
    config_hash,
    environment,
    find_records,
    read_record,
    record_schema,
    results_root,
    write_record,
)
from .statistics import PairedDifference, Summary, holm, paired_difference, summarise
from .tables import ArmTable, arm_table, less_is_better, metric_of, one_setting, setting_text

__all__ = [
    "ArmTable",
    "Comparison",
    "Judgement",
    "PairedDifference",
    "Published",
    "Record",
    "RecordError",
    "Summary",
    "arm_table",
    "compare_records",
    "config_hash",
    "environment",
    "find_records",
    "holm",
    "judge",
    "less_is_better",
    "load_published",
    "metric_of",
    "one_setting",
    "paired_difference",
    "read_record",
    "record_schema",
    "results_root",
    "setting_text",
    "summarise",
    "write_record",
]
