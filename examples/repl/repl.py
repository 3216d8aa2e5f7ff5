"""A Python prompt with editing and history: `unikit run -it examples/repl/repl.py`."""

import code
import sys

try:
    import readline
    import rlcompleter

    readline.set_completer(rlcompleter.Completer().complete)
    readline.parse_and_bind("tab: complete")
except ImportError:
    pass

code.interact(f"Python {sys.version.split()[0]} in its own virtual machine; Ctrl-D ends it.", exitmsg="good bye")
