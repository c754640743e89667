"""Removal of what interrupted installations left of packages, run by the Python that is to run jobs.

    python package_removal.py '{"torch": "torch", "scikit-image": "skimage"}'

Takes package names and the modules they hold. What pip cannot uninstall, for want of a record, is what this is for.
Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig


def main(packages: dict) -> None:
    """Remove the packages' files and records, and what pip had set aside of them, from where pip installs."""
    paths = sysconfig.get_paths()
    for site in sorted({paths["purelib"], paths["platlib"]}):
        for entry in sorted(os.listdir(site)):
            if any(is_of(entry, name, module) for name, module in packages.items()):
                path = os.path.join(site, entry)
                print("Removing " + path, flush=True)
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.remove(path)


def is_of(entry: str, name: str, module: str) -> bool:
    """Whether a file or folder where packages are installed belongs to a package.

    pip sets a package's old files aside under their names with a tilde for the first letter.
    """
    record = re.match(r"(.+?)-[^-]+\.(?:dist|egg)-info$", entry)
    if record:
        return plain(record.group(1)) in (plain(name), plain("~" + name[1:]))
    return entry in (module, module + ".py", "~" + module[1:])


def plain(name: str) -> str:
    """A package's name as packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
