"""docs/corpus.md: the corpus as tables."""

from __future__ import annotations

import statistics
from typing import Any

HEAD = """# The corpus

{count} popular packages as `pip install` brings them, a smoke script each (`tests/apps/corpus/`): a real use, not only
the import. Every image is what `unikit build` makes of the script alone, without settings; every one is booted (TCG,
one processor), and its verdict is the exit status on the report channel. This page was made by

    python benchmarks/corpus.py --peer --report docs/corpus.md

**{passed} of {count} pass. Kept modules per imported one: median {median:.2f}, {low:.2f} to {high:.2f}.**

- *before*: site-packages and the standard library of the environment; *image*: everything that boots, kernel included,
  not compressed.
- *kept*: modules that are files of the image (those inside the interpreter's program are not counted); *imported*:
  those of them that the guest imported, as its own interpreter says.

| package | version | before MiB | image MiB | kept | imported | ratio | result |
|---|---|---:|---:|---:|---:|---:|---|
"""

PEER = """
## Beside PyInstaller
PyInstaller {version} chose for the same scripts in the same environments; both choices are counted the same way:
modules that are files, and the size of everything chosen as it lies in the environment (sources of modules, extension
modules, libraries, data). Ours includes libc and the dynamic linker, which PyInstaller leaves to the system. *runs*:
whether the program that PyInstaller built ends with status 0 on the host.

Medians of ours / PyInstaller's: modules {modules:.2f}, size {size:.2f}. Fewer modules in {fewer} of {count}, smaller in
{smaller} of {count}.

| package | modules, ours | PyInstaller | ratio | MiB, ours | PyInstaller | ratio | runs |
|---|---:|---:|---:|---:|---:|---:|---|
"""

FROZEN = """
## Frozen
The same scripts, built with `--freeze` (docs/freeze.md), all of them in one series:

    python benchmarks/corpus.py --build=--freeze --label=-frozen

**{passed} of {count} pass frozen{but}.**

*cold* and *frozen* are the sizes of the two images in MiB, not compressed.

| package | version | cold | frozen | result |
|---|---|---:|---:|---|
"""


def frozen(results: list[Any], cold: list[Any], reasons: dict[str, str]) -> str:
    """The table of a series that was built with --freeze, beside the sizes of the cold one. `reasons`: why a package
    cannot be frozen."""
    sizes = {r.name: mib(r.image) for r in cold if r.image}
    failed = [r.name for r in results if r.status != "pass"]
    known = [name for name in failed if name in reasons]
    but = f"; {', '.join(known)} cannot be frozen where the script imports it" if known else ""
    text = FROZEN.format(passed=len(results) - len(failed), count=len(results), but=but)
    for r in results:
        said = escape(r.status) + (f" ({reasons[r.name]})" if r.name in known else "")
        cells = [r.name, r.version, sizes.get(r.name, ""), mib(r.image) if r.image else "", said]
        text += "| " + " | ".join(cells) + " |\n"
    return text


def page(results: list[Any]) -> str:
    done = [r for r in results if r.status == "pass"]
    ratios = [r.kept / r.imported for r in done] or [0.0]
    text = HEAD.format(
        count=len(results), passed=len(done), median=statistics.median(ratios), low=min(ratios), high=max(ratios)
    )
    for r in results:
        ratio = f"{r.kept / r.imported:.2f}" if r.imported else ""
        cells = [r.name, r.version, mib(r.before), mib(r.image), r.kept, r.imported, ratio, escape(r.status)]
        text += "| " + " | ".join(map(str, cells)) + " |\n"
    peers = [r for r in done if r.peer.get("modules") and r.ours]
    if not peers:
        return text
    modules = [r.ours["modules"] / r.peer["modules"] for r in peers]
    sizes = [r.ours["bytes"] / r.peer["bytes"] for r in peers]
    text += PEER.format(
        version=peers[0].peer.get("tool", ""), count=len(peers), modules=statistics.median(modules),
        size=statistics.median(sizes),
        fewer=sum(m < 1 for m in modules), smaller=sum(s < 1 for s in sizes),
    )  # fmt: skip
    for r, m, s in zip(peers, modules, sizes, strict=True):
        cells = [r.name, r.ours["modules"], r.peer["modules"], f"{m:.2f}"]
        cells += [mib(r.ours["bytes"]), mib(r.peer["bytes"]), f"{s:.2f}", escape(r.peer["status"])]
        text += "| " + " | ".join(map(str, cells)) + " |\n"
    broken = [r for r in done if r.peer and not r.peer.get("modules")]
    for r in broken:
        text += f"| {r.name} | | | | | | | {escape(r.peer.get('status', ''))} |\n"
    return text


def mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


def escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:160]
