"""Runs in the guest before the program's first line (compile.py puts it there): finds the image's modules by a table.

The usual finder asks one folder of sys.path after the other, lists it and looks at its time. In an image all of that is
known beforehand, so a table says where each module is; on a hit the spec is what the usual finder would have made. It
steps aside, and the usual finder looks, for what the table does not know, where the program has put other folders in
front in sys.path, and where a package's `__path__` is no longer its own folder alone. `table`: the table's file.
"""

import _frozen_importlib
import _frozen_importlib_external as external
import marshal
import sys

TYPE_CHECKING = False  # as in the module typing, which the guest need not have
if TYPE_CHECKING:
    from typing import Any

table: str

Spec: Any = _frozen_importlib.ModuleSpec
loaders: dict[str, Any] = {
    "yc": external.SourcelessFileLoader, "py": external.SourceFileLoader, "so": external.ExtensionFileLoader,
}  # fmt: skip
try:
    files = marshal.loads(loaders["yc"]("", table).get_data(table))  # noqa: F821 - declared above
except OSError:  # the program runs outside its image
    files = {}
usual = sys.path[:]
count = len(usual)


class KnownModules:
    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        file = files.get(name)
        if file is None:
            return None
        folder, _, last = file.rpartition("/")
        package = last.startswith("__init__.")
        if path is None:
            if sys.path[:count] != usual:
                return None
        elif path != [folder.rpartition("/")[0] if package else folder]:
            return None
        spec = Spec(name, loaders[file[-2:]](name, file), origin=file)
        spec._set_fileattr = True
        if package:
            spec.submodule_search_locations = [folder]
        return spec


sys.meta_path.insert(sys.meta_path.index(external.PathFinder), KnownModules)
