"""Compiles every kernel that the presets use into the folder NUMBA_CACHE_DIR."""

import tempfile
from pathlib import Path

from ssd_run.presets import load_config, preset_names
from ssd_run.processes.preload import preload

with tempfile.TemporaryDirectory() as folder:
    for name in preset_names():
        run_file = Path(folder) / f"{name}.toml"
        run_file.write_text(load_config(name).toml())
        preload(run_file)
