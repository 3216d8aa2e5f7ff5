"""A table, markup, a tree, syntax colours and a progress bar, drawn into a string."""

import io

from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track
from rich.syntax import Syntax
from rich.table import Table
from rich.tree import Tree

out = io.StringIO()
console = Console(file=out, force_terminal=True, width=60)
table = Table(title="numbers")
table.add_column("n", justify="right")
table.add_column("square")
for n in track(range(3), console=console):
    table.add_row(str(n), f"[bold]{n * n}[/]")
console.print(table)
tree = Tree("root")
tree.add("leaf")
console.print(tree, Markdown("# Head\n\n* item"), Syntax("def f(): return 1", "python"))
text = out.getvalue()
assert "numbers" in text and "leaf" in text and "\x1b[" in text and "Head" in text
