"""Records of runs and the statistics made from them: mean, 95 % interval, n, and paired differences."""

from .compare import Comparison, compare_records
from .integrity import broken_records, seal_records
from .place import NoRecordsError, check_root, needed, result_files, result_folders, results_root
from .published import Judgement, Published, judge, load_published
from .records import (
    Record,
    RecordError,
    config_hash,
    environment,
    find_records,
    read_record,
    record_schema,
    write_record,
)
from .statistics import PairedDifference, Summary, holm, paired_difference, summarise
from .tables import ArmTable, arm_table, less_is_better, metric_of, one_setting, setting_text
from .tolerances import Agreement, Pair, Tolerance, Tolerances, agreement, load_tolerances, measured, seed_spread

__all__ = [
    "Agreement",
    "ArmTable",
    "Comparison",
    "Judgement",
    "NoRecordsError",
    "Pair",
    "PairedDifference",
    "Published",
    "Record",
    "RecordError",
    "Summary",
    "Tolerance",
    "Tolerances",
    "agreement",
    "arm_table",
    "check_root",
    "compare_records",
    "config_hash",
    "environment",
    "find_records",
    "holm",
    "judge",
    "less_is_better",
    "load_published",
    "load_tolerances",
    "measured",
    "metric_of",
    "needed",
    "one_setting",
    "paired_difference",
    "read_record",
    "record_schema",
    "result_files",
    "result_folders",
    "results_root",
    "seal_records",
    "seed_spread",
    "setting_text",
    "summarise",
    "broken_records",
    "write_record",
]
