"""Which components come in, and which choices are errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from unikit.errors import ExitCode, UserError
from unikit.kernel.component import Component
from unikit.kernel.select import select


def component(name: str, **members: object) -> Component:
    values: dict[str, object] = {
        key: frozenset() for key in ("needs", "provides", "init", "defined", "weak", "undefined", "tables")
    }
    values |= {"calls": (), "drivers": (), "others": (), "boot": False}
    for key, value in members.items():
        values[key] = frozenset(value) if isinstance(value, set) else value
    return Component(name=name, path=Path(name + ".o"), **values)  # type: ignore[arg-type]


def names(*components: Component, **options: object) -> list[str]:
    return [c.name for c in select(components, **options).components]  # type: ignore[arg-type]


def test_roots_and_what_they_reach_by_symbol_and_by_need() -> None:
    found = names(
        component("boot/entry", boot=True, undefined={"start"}),
        component("boot/start", defined={"start"}, needs={"entropy"}),
        component("entropy/pool", provides={"entropy"}),
        component("vfs/pipe", calls=((22, "pipe"),)),
        component("vfs/unused", defined={"unused"}),
    )
    assert found == ["boot/entry", "boot/start", "entropy/pool", "vfs/pipe"]


def test_a_strong_definition_is_preferred_to_a_weak_one() -> None:
    found = names(
        component("a", boot=True, undefined={"hook"}),
        component("b", weak={"hook"}),
        component("c", defined={"hook"}),
    )
    assert found == ["a", "c"]


def test_what_replaces_a_default_comes_along_if_it_is_of_use() -> None:
    parts = (
        component("threads/exit", boot=True, weak={"goodbye"}),
        component("network/goodbye", defined={"goodbye"}),
    )
    assert names(*parts) == names(*parts, imports=["_socket"]) == ["network/goodbye", "threads/exit"]
    assert names(*parts, imports=[]) == ["threads/exit"]


def test_the_default_serves_where_what_replaces_it_is_of_no_use() -> None:
    parts = (
        component("vfs/unix", boot=True, undefined={"interface"}),
        component("vfs/socket", weak={"interface"}),
        component("network/ioctl", defined={"interface"}),
    )
    assert names(*parts, imports=[]) == ["vfs/socket", "vfs/unix"]
    assert names(*parts, imports=["_socket"]) == ["network/ioctl", "vfs/unix"]


def test_symbols_of_the_linker_and_of_tables_are_there() -> None:
    one = component("a", boot=True, undefined={"kernel_end", "__start_t", "__stop_t"})
    assert names(one, linker=["kernel_end"]) == ["a"]


def test_the_network_is_for_those_who_import_it() -> None:
    parts = (
        component("boot/entry", boot=True),
        component("network/tcp", init={"network"}, undefined={"tcp_new"}),
        component("lwip/core/tcp", defined={"tcp_new"}),
        component("virtio/net", drivers=(("virtio_net", "virtio:1"),)),
        component("virtio/network_other", init={"devices"}),
    )
    assert names(*parts, imports=["os"]) == ["boot/entry", "virtio/network_other"]
    assert len(names(*parts, imports=["_socket"])) == 5
    assert len(names(*parts)) == 5


def test_something_else_can_need_the_network() -> None:
    parts = (component("x", init={"early"}, needs={"network/tcp"}), component("network/tcp", init={"network"}))
    assert names(*parts, imports=[]) == ["network/tcp", "x"]


def test_an_unmet_need_names_the_chain() -> None:
    with pytest.raises(UserError, match="No component provides the symbol gone, which c needs") as error:
        names(
            component("a", boot=True, undefined={"b"}),
            component("b", defined={"b"}, needs={"c"}),
            component("c", undefined={"gone"}),
        )
    assert error.value.code == ExitCode.SELECT
    assert error.value.details == ("the symbol gone: needed by a -> b -> c",)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"defined": {"f"}}, "symbol f"),
        ({"provides": {"p"}, "boot": True}, "'p'"),
        ({"calls": ((1, "write"),)}, "system call write"),
    ],
)
def test_two_providers_are_an_error(members: dict[str, object], words: str) -> None:
    root = component("root", boot=True, undefined=set(members.get("defined", set())))  # type: ignore[call-overload]
    with pytest.raises(UserError, match="a and b both provide") as error:
        names(root, component("a", **members), component("b", **members))
    assert words in error.value.message


def test_what_is_left_out_is_told() -> None:
    assert select([component("a", boot=True), component("b")]).left_out == ("b",)


CALLS = (
    component("boot/entry", boot=True),
    component("vfs/read", calls=((0, "read"),), tables={"unikit_syscalls"}),
    component("vfs/memfd", calls=((319, "memfd_create"),), tables={"unikit_syscalls"}),
    component("vfs/xattr", calls=((188, "setxattr"), (191, "getxattr")), tables={"unikit_syscalls"}),
    component("vfs/inotify", calls=((253, "inotify_init"),), tables={"unikit_syscalls", "unikit_text_files"}),
    component("network/send", calls=((1, "send"),), tables={"unikit_syscalls"}),
)


def test_a_trace_leaves_out_what_only_offers_other_calls() -> None:
    kept = names(*CALLS, calls=["getxattr"])
    assert kept == ["boot/entry", "vfs/inotify", "vfs/read", "vfs/xattr"], "always, by another table, and traced"
    assert select(CALLS, calls=["getxattr"]).uncalled == ("memfd_create", "send")
    assert select(CALLS).uncalled == () and len(names(*CALLS)) == len(CALLS)


def test_what_others_need_stays_whatever_the_trace_says() -> None:
    user = component("vfs/open", boot=True, undefined={"memfd_make"})
    offered = component("vfs/memfd", calls=((319, "memfd_create"),), defined={"memfd_make"})
    found = select([user, offered], calls=[])
    assert [c.name for c in found.components] == ["vfs/memfd", "vfs/open"] and not found.uncalled


def test_calls_can_be_included() -> None:
    assert "vfs/memfd" in names(*CALLS, calls=[], include=["memfd_create"])
    assert "network/send" not in names(*CALLS, imports=[])
    assert "network/send" in names(*CALLS, imports=[], include=["send"])
    with pytest.raises(UserError, match="no system call mmfd_create") as caught:
        select(CALLS, include=["mmfd_create"])
    assert caught.value.code is ExitCode.CONFIGURATION
