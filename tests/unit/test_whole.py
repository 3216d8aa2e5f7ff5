"""Questions about the graph of an image: the way to a node, and why something is not there."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import pytest

from unikit import whole
from unikit.model import Edge, EdgeKind, Missing
from unikit.select import Choice, Selection


@dataclass(frozen=True)
class Part:
    """As much of a component as the questions need."""

    name: str
    calls: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Program:
    id: str = "library:/usr/bin/python3.11"


class Natives:
    program = Program()

    def __init__(self) -> None:
        self.graph: nx.DiGraph[str] = nx.DiGraph()
        for tail, head, line in (
            ("module:__main__", "module:asyncio", "app.py:2"),
            ("module:asyncio", "module:socket", "asyncio/base_events.py:23"),
            ("module:socket", "module:_socket", "socket.py:51"),
        ):
            self.graph.add_edge(tail, head, edge=Edge(EdgeKind.IMPORTS, evidence=(line,)))


class Imports:
    dropped = (("ssl", "TLS (OpenSSL)"),)
    missing = (Missing("winreg", "no such module"),)


SELECTION = Selection(
    (
        Choice(Part("virtio/net"), None, None),  # type: ignore[arg-type]
        Choice(Part("network/tcp"), None, None),  # type: ignore[arg-type]
        Choice(Part("lwip/core/tcp"), "network/tcp", "tcp_write"),  # type: ignore[arg-type]
        Choice(Part("vfs/pipe", ((293, "pipe2"),)), None, None),  # type: ignore[arg-type]
    ),
    ("virtio/rng", "clock/kvmclock"),
)
NO_NETWORK = Selection(SELECTION.choices[3:], ("virtio/net", "network/tcp", "lwip/core/tcp"))


@pytest.fixture
def graph() -> nx.DiGraph[str]:
    return whole.graph(Natives(), SELECTION)  # type: ignore[arg-type]


def way(graph: nx.DiGraph[str], name: str) -> list[str]:
    steps = whole.paths(graph, whole.find(graph, name)[0])[0]
    return [steps[0].tail, *(step.head for step in steps)]


def test_a_driver_is_reached_from_the_applications_own_line(graph: nx.DiGraph[str]) -> None:
    assert way(graph, "virtio_net") == [
        "module:__main__", "module:asyncio", "module:socket", "module:_socket", "component:virtio/net",
    ]  # fmt: skip
    first = whole.paths(graph, "component:virtio/net")[0][0]
    assert first.how == "imports" and first.evidence == ("app.py:2",)


def test_lwip_is_a_node_of_its_own(graph: nx.DiGraph[str]) -> None:
    assert way(graph, "lwip")[-3:] == ["component:network/tcp", "component:lwip/core/tcp", "lwip"]


def test_a_system_call_hangs_on_its_component(graph: nx.DiGraph[str]) -> None:
    assert way(graph, "pipe2") == ["module:__main__", "library:/usr/bin/python3.11", "component:vfs/pipe", "call:pipe2"]


@pytest.mark.parametrize("name", ["_socket", "module:_socket"])
def test_names_are_found_with_and_without_their_kind(graph: nx.DiGraph[str], name: str) -> None:
    assert whole.find(graph, name) == ["module:_socket"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ssl", 'include = ["ssl"]'),
        ("winreg", "no such module"),
        ("virtio_net", "imports _socket"),
        ("lwip", "imports _socket"),
        ("numpy", "Nothing that the application reaches imports numpy"),
    ],
)
def test_why_not(name: str, reason: str) -> None:
    assert reason in whole.why_not(Imports(), NO_NETWORK, name)  # type: ignore[arg-type]


def test_why_not_of_a_component_nobody_needs() -> None:
    assert "Nothing in the runtime" in whole.why_not(Imports(), SELECTION, "kvmclock")  # type: ignore[arg-type]
