"""Prints the folder of this interpreter's shared library, or nothing if there is none."""

import sysconfig
from pathlib import Path


def libpython_folder() -> Path | None:
    """Find the folder that holds the name that a linker looks for, `libpython3.N.so`."""
    folder, name = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY")
    if not (sysconfig.get_config_var("Py_ENABLE_SHARED") and folder and name):
        return None
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    for candidate in (Path(folder), Path(folder) / multiarch):
        if (candidate / name).exists():
            return candidate
    return None


if __name__ == "__main__":
    print(libpython_folder() or "")
