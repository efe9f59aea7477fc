"""Sample pictures of a run: one small grey PNG beside its record, in a folder of their own, and never changed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from colu.files import file_digest, held, write_atomically

from .place import result_files
from .records import Record, RecordError, read_record

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PICTURES", "Pictures", "broken_pictures", "find_pictures", "read_pictures", "write_pictures"]

#: The folder of records that have pictures, inside of the folder of records: a run made again counts no second time.
PICTURES = "pictures"

#: Beside them: a line for each picture, as ``sha256sum`` writes and checks them.
SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Rows of pictures of one run.

    Attributes
    ----------
    rows : dict of str to torch.Tensor
        Each of shape (columns, 1, height, width), grey levels in [0, 1] where 1 is ink; all of one shape.
    facts : dict of str to float
        Numbers that go with the pictures and are none of the run's metrics.
    record : Record or None
        Of the run, where the pictures were read.

    Raises
    ------
    ValueError
        If there is no row, or rows are not grey pictures of one shape with levels in [0, 1].
    """

    rows: Mapping[str, Tensor]
    facts: Mapping[str, float] = field(default_factory=dict)
    record: Record | None = None

    def __post_init__(self) -> None:
        shapes = {tuple(row.shape) for row in self.rows.values()}
        if len(shapes) != 1 or len(shape := next(iter(shapes))) != 4 or shape[1] != 1:
            raise ValueError(f"rows have shapes {sorted(shapes)}; wanted one shape (columns, 1, height, width)")
        for name, row in self.rows.items():
            if not bool(((row >= 0) & (row <= 1)).all()):
                raise ValueError(f"row {name!r} has levels outside [0, 1]; clamp them before")

    def __getitem__(self, name: str) -> Tensor:
        """One row, by its name."""
        if name not in self.rows:
            raise KeyError(f"no row {name!r} of pictures; there are {', '.join(self.rows)}")
        return self.rows[name]


def _encoded(pictures: Pictures, seal: str) -> bytes:
    """A PNG without loss: the rows below each other, and what they are as text."""
    import torch
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    stacked = torch.stack([row.detach().float().cpu()[:, 0] for row in pictures.rows.values()])
    rows, columns, height, width = stacked.shape
    levels = (stacked * 255).round().to(torch.uint8).permute(0, 2, 1, 3).reshape(rows * height, columns * width)
    about, stream = PngInfo(), io.BytesIO()
    told = {"record": seal, "rows": list(pictures.rows), "columns": columns, "facts": dict(pictures.facts)}
    about.add_text("colu", json.dumps(told, allow_nan=False))
    Image.fromarray(levels.numpy()).save(stream, format="PNG", optimize=True, pnginfo=about)
    return stream.getvalue()


def _sums(root: Path) -> dict[str, str]:
    path = root / PICTURES / SUMS
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def write_pictures(pictures: Pictures, record: Path, root: str | Path) -> Path:
    """Write pictures beside the record that is there, and their checksum; what is there already is kept.

    Parameters
    ----------
    pictures : Pictures
    record : path
        Of the record's file, below ``root/pictures``.
    root : path
        Folder of records.
    """
    root, record = Path(root), Path(record)
    path = record.with_suffix(".png")
    name = path.relative_to(root / PICTURES).as_posix()
    with held(root / ".unfinished" / "pictures.lock", wait=True):
        known = _sums(root)
        if path.is_file() and name in known:
            return path
        data = _encoded(pictures, json.loads(record.read_text(encoding="utf8"))["seal"])
        known[name] = hashlib.sha256(data).hexdigest()
        # The checksum first: no reader then meets a picture without one.
        lines = [f"{digest}  {each}\n" for each, digest in sorted(known.items())]
        write_atomically(root / PICTURES / SUMS, "".join(lines))
        write_atomically(path, data)
    return path


def read_pictures(path: str | Path) -> Pictures:
    """The pictures of one run, with its record.

    Parameters
    ----------
    path : path
        Of the PNG.

    Raises
    ------
    RecordError
        If the file is not the one whose checksum was kept, or its record is missing, broken or another one.
    """
    import torch
    from PIL import Image

    path = Path(path)
    root, name = path.parents[2], f"{path.parent.name}/{path.name}"
    try:
        found = file_digest(path)
    except OSError:
        raise RecordError(f"{path} is gone, but its checksum is in {SUMS}; restore it") from None
    if (told := _sums(root).get(name)) != found:
        raise RecordError(f"{path} has the checksum {found[:12]}…, {SUMS} says {(told or 'nothing')[:12]}; restore it")
    record = read_record(path.with_suffix(".json"))
    with Image.open(path) as image:
        about, data = json.loads(image.info["colu"]), bytearray(image.tobytes())
        width, height = image.size
    if about["record"] != json.loads(path.with_suffix(".json").read_text(encoding="utf8"))["seal"]:
        raise RecordError(f"{path} goes with another record than {path.stem}.json; restore both")
    shape = len(about["rows"]), height // len(about["rows"]), about["columns"], width // about["columns"]
    tiles = torch.frombuffer(data, dtype=torch.uint8).view(shape).permute(0, 2, 1, 3)[:, :, None] / 255
    return Pictures(rows=dict(zip(about["rows"], tiles, strict=True)), facts=about["facts"], record=record)


def find_pictures(experiment: str, root: str | Path | None = None, **options: object) -> dict[str, Pictures]:
    """Recorded pictures of an experiment, by arm.

    Parameters
    ----------
    experiment : str
    root : path, optional
        As of :func:`colu.lab.results.find_records`.
    **options
        Wanted options of the configuration, such as ``code_channels=4``.

    Raises
    ------
    RecordError
        See :func:`read_pictures`.
    ValueError
        If two runs of one arm fit: name the option in which they differ.
    """
    found: dict[str, Pictures] = {}
    for path in result_files(f"{PICTURES}/{experiment}/*.png", root):
        one = read_pictures(path)
        if any(one.record.config["options"].get(name) != value for name, value in options.items()):
            continue
        if one.record.arm in found:
            raise ValueError(f"two runs of {one.record.arm!r} have pictures; name an option in which they differ")
        found[one.record.arm] = one
    return found


def broken_pictures(root: str | Path) -> list[str]:
    """What is wrong with the pictures of a folder of records and with their records, each a line."""
    root, found = Path(root), []
    there = {path.relative_to(root / PICTURES).as_posix() for path in root.glob(f"{PICTURES}/*/*.png")}
    for name in sorted(there | _sums(root).keys()):
        try:
            read_pictures(root / PICTURES / name)
        except RecordError as error:
            found.append(str(error))
    records = [path for path in root.glob(f"{PICTURES}/*/*.json") if not path.name.endswith(".curve.json")]
    alone = [path for path in sorted(records) if not path.with_suffix(".png").is_file()]
    return found + [f"{path} has no picture beside it; restore both or delete both" for path in alone]
