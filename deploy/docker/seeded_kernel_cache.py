"""Lets numba start with the kernels that were compiled when the image was built.

Numba uses a cache only if it can write to it, and the image's own files are read-only. So a process
has a cache in a writable folder, NUMBA_CACHE_DIR, with links to the files in the image. Kernels
that are not in the image, such as those of a game of your own, are compiled and added to it.

The environment variable NUMBA_CACHE_LOCATOR_CLASSES names the class below.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

SEED = Path("/opt/ssd/kernels")


class SeededCacheLocator(UserProvidedCacheLocator):
    """Where the kernels of one source file are cached: a folder of links to the image's files."""

    def ensure_cache_path(self) -> None:
        """Create the folder and the links, unless they exist.

        Raises:
            OSError: when the folder is not writable; numba then compiles without a cache.
        """
        super().ensure_cache_path()
        folder = Path(self.get_cache_path())
        for file in (SEED / folder.name).glob("*.nb[ic]"):
            with suppress(FileExistsError):  # linked for another kernel, or by another process
                (folder / file.name).symlink_to(file)
