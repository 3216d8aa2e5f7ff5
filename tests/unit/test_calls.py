"""Which functions lead to which system calls: the machine's own C library, and code assembled by hand."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from unikit.kernel import runtime
from unikit.model import Edge, EdgeKind
from unikit.native import disassembly
from unikit.native.calls import Call, Calls, Use, _Core
from unikit.native.disassembly import Code
from unikit.native.registers import Registers

LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")


@pytest.fixture(scope="module")
def libc(tmp_path_factory: pytest.TempPathFactory) -> _Core:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNIKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        return _Core({"libc": disassembly.code(LIBC)})


def names(core: _Core, *symbols: str) -> set[str]:
    numbers = runtime.call_names()
    return {numbers[n] for n in core.reached(dict.fromkeys(symbols, ""), roots=False)}


@pytest.mark.parametrize(
    ("symbol", "call"),
    [("getpid", "getpid"), ("epoll_ctl", "epoll_ctl"), ("setsockopt", "setsockopt"), ("getppid", "getppid")],
)
def test_a_plain_wrapper_makes_its_call_alone(libc: _Core, symbol: str, call: str) -> None:
    assert names(libc, symbol) == {call}


def test_calls_are_found_behind_other_functions_and_tables_of_pointers(libc: _Core) -> None:
    assert {"socket", "connect", "sendto", "openat", "poll"} <= names(libc, "getaddrinfo")
    assert {"write", "lseek"} <= names(libc, "fprintf")  # by the tables of stdio's streams
    assert {"clone3", "mmap", "mprotect"} <= names(libc, "pthread_create")
    assert not {"socket", "clone3", "mount"} & names(libc, "fprintf", "malloc", "qsort")


def test_only_syscall_itself_makes_calls_of_any_number(libc: _Core) -> None:
    code = libc.codes["libc"]
    assert set(code.unknown) <= set(code.exports["syscall"])


def test_what_is_remembered_is_what_was_read(libc: _Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIKIT_CACHE", str(tmp_path))
    first = disassembly.code(LIBC)
    assert disassembly.code(LIBC) == first == libc.codes["libc"]


def test_constants_come_by_way_of_other_registers() -> None:
    registers = Registers()
    registers.step(0, "mov", "r13d, 0xca")
    registers.step(6, "call", "0x1000")
    registers.step(11, "mov", "eax, r13d")
    assert registers.now["eax"] == 0xCA
    registers.step(14, "pop", "r13")
    registers.step(16, "mov", "eax, r13d")
    assert "eax" not in registers.now and registers.every("eax") == {0xCA}
    registers.step(19, "xor", "eax, eax")
    assert registers.now["eax"] == 0


def test_the_first_symbol_that_leads_to_a_call_is_named() -> None:
    code = Code(
        exports={"outer": [1], "inner": [2]}, edges={1: [2, 100], 100: [3]}, calls={2: [0], 3: [1], 9: [5]}, roots=[9]
    )
    core = _Core({"libc": code})
    assert core.reached({"outer": "outer"}, roots=False) == {0: "outer", 1: "outer"}
    assert core.reached({"inner": "inner"}, roots=True) == {0: "inner", 5: "start"}


def test_the_graph_gets_the_calls_and_the_symbols() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edge("library:/a", "library:/b", edge=Edge(EdgeKind.LOADS, evidence=("/host/a",)))
    calls = Calls(
        (Call("library:/a", "read", 0, "getline"),), (Use("library:/a", "library:/b", ("f", "g", "h", "i", "j", "k")),)
    )
    calls.add_to(graph)
    assert graph.edges["library:/a", "call:read"]["edge"] == Edge(EdgeKind.CALLS, evidence=("getline",))
    assert graph.edges["library:/a", "library:/b"]["edge"].evidence == ("/host/a", "6 symbols: f, g, h, i, j ...")
