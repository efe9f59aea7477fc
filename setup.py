"""What pyproject.toml cannot say: a wheel holds the records as one archive."""

import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RESULTS = "colu/lab/results"


class WithRecords(build_py):
    """Packs ``results/`` beside the module that unpacks it; an editable installation reads the folder itself."""

    def _archive(self):
        return Path(self.build_lib, RESULTS, "records.tar.xz")

    def run(self):
        super().run()
        if not self.editable_mode:
            packed = runpy.run_path(f"{RESULTS}/archive.py")["pack"](Path("results"))
            self._archive().parent.mkdir(parents=True, exist_ok=True)
            self._archive().write_bytes(packed)

    def get_outputs(self, include_bytecode=1):
        return super().get_outputs(include_bytecode) + ([] if self.editable_mode else [str(self._archive())])


setup(cmdclass={"build_py": WithRecords})
