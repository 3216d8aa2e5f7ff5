"""Machines made of the network components on the host, and the wire between two of them."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cffi

from unikit.kernel import upstream

from .conftest import FLAGS, HERE, ROOT

CDEF = """
long sys_socket(int domain, int type, int protocol);
long sys_bind(int fd, const void *address, int length);
long sys_connect(int fd, const void *address, int length);
long sys_listen(int fd, int backlog);
long sys_accept4(int fd, void *address, int *length, int flags);
long sys_getsockname(int fd, void *address, int *length);
long sys_getpeername(int fd, void *address, int *length);
long sys_shutdown(int fd, int how);
long sys_setsockopt(int fd, int level, int option, const void *value, int length);
long sys_getsockopt(int fd, int level, int option, void *value, int *length);
long sys_sendto(int fd, const void *buffer, size_t n, int flags, const void *address, int length);
long sys_recvfrom(int fd, void *buffer, size_t n, int flags, void *address, int *length);
int fd_close(int fd);
unsigned host_poll(int fd);
long host_ioctl(int fd, unsigned request, void *argument);
void host_watch(int fd, unsigned events);
unsigned host_woken(int fd);
void host_unwatch(int fd);
void host_start(int number, const char *ip, unsigned mtu);
void host_send_limit(unsigned n);
int host_take(uint8_t *to);
void host_give(const uint8_t *from, unsigned n, unsigned piece);
void host_settle(void);
void host_advance(uint64_t ns);
uint64_t clock_now(void);
const char *host_written(int i);
const char *host_text(const char *path);
unsigned host_pcbs(int which);
extern int host_last_signal;
extern unsigned host_sent, host_flushes, host_waits;
extern _Bool (*host_while_waiting)(void);
uint16_t network_checksum(const void *data, int length);
uint16_t network_checksum_copy(void *to, const void *from, uint16_t length);
"""
LISTENING, BOUND, ACTIVE, TIME_WAIT = range(4)
IN, OUT, ERR, HUP, RDHUP = 0x1, 0x4, 0x8, 0x10, 0x2000
NONBLOCK = 0o4000
AF_INET, AF_INET6, AF_NETLINK = 2, 10, 16
STREAM, DGRAM, RAW = 1, 2, 3
SECOND = 1_000_000_000


def compile_stack(folder: Path) -> Path:
    """The library of one machine; every copy of it is another machine."""
    source = upstream.LWIP.find() / "src"
    includes = ["-idirafter", str(ROOT / "runtimes/network/include"), f"-I{source / 'include'}"]
    sources = sorted((ROOT / "runtimes/network").glob("*.c"))
    sources += [ROOT / f"runtimes/vfs/{name}.c" for name in ("socket", "socket_options", "pair", "io")]
    sources += [HERE / "host/network.c", HERE / "host/host.c"]
    stack = [*(source / "core").glob("*.c"), *(source / "core/ipv4").glob("*.c"), *(source / "core/ipv6").glob("*.c")]
    stack.append(source / "netif/ethernet.c")
    objects: list[Path] = []
    for number, (file, extra) in enumerate([*((f, []) for f in sources), *((f, ["-w"]) for f in stack)]):
        target = folder / f"{number}.o"
        flags = [f for f in FLAGS if f != "-shared"]
        objects.append(target)
        line = ["gcc", *flags, *includes, *extra, "-c", str(file), "-o", str(target)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    library = folder / "machine.so"
    subprocess.run(["gcc", *FLAGS, *map(str, objects), "-o", str(library)], check=True)
    return library


def ipv4(host: str, port: int) -> bytes:
    return struct.pack("<H", AF_INET) + struct.pack(">H", port) + bytes(map(int, host.split("."))) + bytes(8)


def ipv6(address: bytes, port: int, scope: int = 0) -> bytes:
    return struct.pack("<H", AF_INET6) + struct.pack(">HI", port, 0) + address + struct.pack("<I", scope)


class Machine:
    """One stack. Socket calls return what the system call returns: a value or -errno."""

    def __init__(self, library: Path, number: int, ip: str | None, mtu: int = 1500) -> None:
        self.ffi = cffi.FFI()
        self.ffi.cdef(CDEF)
        copy = Path(tempfile.mkdtemp(dir=library.parent)) / "machine.so"
        shutil.copy(library, copy)
        self.lib: Any = self.ffi.dlopen(str(copy))
        self.ip = ip.split("/")[0] if ip else ""
        self.text = self.ffi.new("char[]", ip.encode()) if ip is not None else self.ffi.NULL
        self.lib.host_start(number, self.text, mtu)
        self.frame = self.ffi.new("uint8_t[65536]")
        self.world: Callable[[], bool] | None = None

    def waits_for(self, world: Callable[[], bool]) -> None:
        """What happens elsewhere while a call blocks; False: nothing more."""
        self.world = self.ffi.callback("_Bool(void)")(world)
        self.lib.host_while_waiting = self.world

    def socket(self, family: int = AF_INET, kind: int = STREAM | NONBLOCK, protocol: int = 0) -> int:
        return int(self.lib.sys_socket(family, kind, protocol))

    def bind(self, fd: int, address: bytes) -> int:
        return int(self.lib.sys_bind(fd, address, len(address)))

    def connect(self, fd: int, address: bytes) -> int:
        return int(self.lib.sys_connect(fd, address, len(address)))

    def listen(self, fd: int, backlog: int = 128) -> int:
        return int(self.lib.sys_listen(fd, backlog))

    def accept(self, fd: int, flags: int = NONBLOCK) -> int:
        return int(self.lib.sys_accept4(fd, self.ffi.NULL, self.ffi.NULL, flags))

    def name(self, fd: int, peer: bool = False) -> bytes | int:
        to, n = self.ffi.new("char[128]"), self.ffi.new("int *", 128)
        result = (self.lib.sys_getpeername if peer else self.lib.sys_getsockname)(fd, to, n)
        return int(result) if result < 0 else bytes(self.ffi.buffer(to, n[0]))

    def send(self, fd: int, data: bytes, flags: int = 0, to: bytes = b"") -> int:
        return int(self.lib.sys_sendto(fd, data, len(data), flags, to or self.ffi.NULL, len(to)))

    def receive(self, fd: int, n: int = 1 << 20, flags: int = 0) -> bytes | int:
        buffer = self.ffi.new("char[]", n)
        result = self.lib.sys_recvfrom(fd, buffer, n, flags, self.ffi.NULL, self.ffi.NULL)
        return int(result) if result < 0 else bytes(self.ffi.buffer(buffer, min(n, result)))

    def receive_from(self, fd: int, n: int = 65536) -> tuple[bytes | int, bytes]:
        buffer, to, length = self.ffi.new("char[]", n), self.ffi.new("char[128]"), self.ffi.new("int *", 128)
        result = self.lib.sys_recvfrom(fd, buffer, n, 0, to, length)
        data = int(result) if result < 0 else bytes(self.ffi.buffer(buffer, min(n, result)))
        return data, bytes(self.ffi.buffer(to, length[0]))

    def set(self, fd: int, level: int, option: int, value: int | bytes) -> int:
        data = value if isinstance(value, bytes) else struct.pack("<i", value)
        return int(self.lib.sys_setsockopt(fd, level, option, data, len(data)))

    def get(self, fd: int, level: int, option: int, size: int = 4) -> int | bytes:
        to, n = self.ffi.new("char[]", size), self.ffi.new("int *", size)
        result = self.lib.sys_getsockopt(fd, level, option, to, n)
        if result < 0:
            return int(result)
        data = bytes(self.ffi.buffer(to, n[0]))
        return struct.unpack("<i", data)[0] if size == 4 else data

    def close(self, fd: int) -> int:
        return int(self.lib.fd_close(fd))

    def poll(self, fd: int) -> int:
        return int(self.lib.host_poll(fd))

    def shutdown(self, fd: int, how: int) -> int:
        return int(self.lib.sys_shutdown(fd, how))

    def listener(self, port: int = 80, backlog: int = 128, address: str = "0.0.0.0") -> int:
        fd = self.socket()
        assert self.bind(fd, ipv4(address, port)) == 0
        assert self.listen(fd, backlog) == 0
        return fd

    def take(self) -> bytes | None:
        n = self.lib.host_take(self.frame)
        return bytes(self.ffi.buffer(self.frame, n)) if n else None

    def give(self, frame: bytes, piece: int = 65536) -> None:
        self.lib.host_give(frame, len(frame), piece)

    def read(self, path: str) -> str:
        text: bytes = self.ffi.string(self.lib.host_text(self.ffi.new("char[]", path.encode())))
        return text.decode()


class Wire:
    """Carries frames between two machines; `drop` decides about each frame (True: lost)."""

    def __init__(self, a: Machine, b: Machine) -> None:
        self.a, self.b = a, b
        self.drop: Callable[[Machine, bytes], bool] = lambda sender, frame: False
        self.frames: list[tuple[Machine, bytes]] = []
        self.piece = 65536
        a.waits_for(self.step)
        b.waits_for(self.step)

    def _cross(self, one: Machine, other: Machine) -> int:
        n = 0
        while (frame := one.take()) is not None:
            n += 1
            self.frames.append((one, frame))
            if not self.drop(one, frame):
                other.give(frame, self.piece)
        if n:
            other.lib.host_settle()
        return n

    def step(self) -> bool:
        """One exchange; False if nobody had anything to say."""
        return self._cross(self.a, self.b) + self._cross(self.b, self.a) > 0

    def run(self) -> None:
        while self.step():
            pass

    def pass_time(self, seconds: float, tick: float = 0.05) -> None:
        """Lets time go on for both, with the frames that it causes."""
        for _ in range(max(1, round(seconds / tick))):
            self.a.lib.host_advance(int(tick * SECOND))
            self.b.lib.host_advance(int(tick * SECOND))
            self.run()

    def connection(self, port: int = 80, **options: Any) -> tuple[int, int, int]:
        """(client on a, server side on b, listener)."""
        listener = self.b.listener(port, **options)
        client = self.a.socket()
        assert self.a.connect(client, ipv4(self.b.ip, port)) == -115
        self.run()
        server = self.b.accept(listener)
        assert server >= 0
        return client, server, listener

    def segments(self, sender: Machine) -> Iterator[tuple[int, int, bytes]]:
        """(flags, window, payload) of the TCP segments that `sender` sent."""
        for who, frame in self.frames:
            if who is sender and frame[12:14] == b"\x08\x00" and frame[23] == 6:
                tcp = frame[34 : 14 + int.from_bytes(frame[16:18], "big")]
                yield tcp[13], int.from_bytes(tcp[14:16], "big"), tcp[(tcp[12] >> 4) * 4 :]
