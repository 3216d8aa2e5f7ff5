"""The fixed part of the root file system: folders, /etc, the boot configuration, certificates, time zones."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import jinja2

from unikit import __version__, paths
from unikit.model import BootSettings, FileKind, ImageFile, Interpreter, Layer, Natives

FOLDERS = {
    "/dev": 0o755, "/proc": 0o555, "/sys": 0o555, "/run": 0o755, "/tmp": 0o1777, "/var": 0o755, "/var/tmp": 0o1777,
    "/root": 0o700, "/app": 0o755, "/etc": 0o755, "/usr/bin": 0o755,
}  # fmt: skip

# The names that programs look up by themselves; the guest adds its own to hosts when it knows its address.
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "services": "".join(
        f"{name} {port}/{protocol}\n"
        for name, port, protocol in (
            ("ftp", 21, "tcp"), ("ssh", 22, "tcp"), ("telnet", 23, "tcp"), ("smtp", 25, "tcp"), ("domain", 53, "tcp"),
            ("domain", 53, "udp"), ("http", 80, "tcp"), ("pop3", 110, "tcp"), ("ntp", 123, "udp"),
            ("imap2", 143, "tcp"), ("ldap", 389, "tcp"), ("https", 443, "tcp"), ("https", 443, "udp"),
            ("syslog", 514, "udp"),
            ("submission", 587, "tcp"), ("ldaps", 636, "tcp"), ("imaps", 993, "tcp"), ("pop3s", 995, "tcp"),
            ("mysql", 3306, "tcp"), ("postgresql", 5432, "tcp"), ("amqp", 5672, "tcp"), ("redis", 6379, "tcp"),
        )
    ),
    "os-release": f'NAME=unikit\nID=unikit\nVERSION_ID={__version__}\nPRETTY_NAME="unikit {__version__}"\n',
    "protocols": "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6 41 IPv6\nipv6-icmp 58 IPv6-ICMP\n",
}  # fmt: skip

NETWORK_ETC = ("nsswitch.conf", "hosts", "services", "protocols")
BUNDLES = tuple(
    map(Path, ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"))
)
GUEST_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ZONES = Path("/usr/share/zoneinfo")
LOCALE = Path("/usr/lib/locale/C.utf8")
TERMINFO = (Path("/etc/terminfo"), Path("/lib/terminfo"), Path("/usr/share/terminfo"))
TERMINALS = (
    "ansi", "dumb", "linux", "rxvt-unicode-256color", "screen", "screen-256color", "tmux", "tmux-256color", "vt100",
    "vt220", "xterm", "xterm-256color",
)  # fmt: skip


def folder(path: str, mode: int = 0o755, layer: Layer = "runtime") -> ImageFile:
    return ImageFile(path, FileKind.DIRECTORY, mode, layer)


def text(path: str, content: str | bytes, layer: Layer = "runtime") -> ImageFile:
    return ImageFile(path, FileKind.FILE, 0o644, layer, content.encode() if isinstance(content, str) else content)


def link(path: str, target: str, layer: Layer = "runtime") -> ImageFile:
    return ImageFile(path, FileKind.SYMLINK, 0o777, layer, target=target)


def boot_settings(natives: Natives) -> BootSettings:
    """How the guest starts the interpreter. The application's own environment comes last and wins."""
    source = natives.imports.source
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/root",
        "PYTHONFAULTHANDLER": "1",  # a crash in C code shows the Python stack
        "PYTHONUNBUFFERED": "1",  # the console is a log: a line is to be seen when it is written
        "PYTHONDONTWRITEBYTECODE": "1",  # everything is compiled
        "PYTHONCOERCECLOCALE": "0",  # UTF-8 mode needs no locale: no search for one
        "PYTHONNOUSERSITE": "1",
    }
    if wants_locale(natives):
        environment["LANG"] = "C.UTF-8"
    environment.update(source.environment)
    return BootSettings(
        exec=source.python.guest_program,
        argv=source.argv,
        environment=tuple(environment.items()),
        cwd="/app",
        hostname=source.name,
        extra=(("wx", "allow"),) if source.settings.writable_code else (),
    )


def boot_file(boot: BootSettings) -> ImageFile:
    """`/.unikit/boot.conf`."""
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    environment.filters["encoded"] = encoded
    template = environment.from_string((paths.TEMPLATES / "boot.conf.j2").read_text())
    return text("/.unikit/boot.conf", template.render(boot=boot), "app")


def encoded(value: str) -> str:
    """A value of the boot configuration: everything percent-encoded that is not plainly harmless."""
    return urllib.parse.quote(value, safe="/=:,.;@+-_~")


def wants_terminal(natives: Natives) -> bool:
    """Whether the application edits lines or fills the screen by itself. Then it needs the locale's character types and
    the descriptions of terminals, as nothing else does."""
    graph = natives.imports.graph
    edits = any(_imports_itself(natives, name) for name in ("readline", "_curses", "code", "cmd"))
    return edits and ("module:readline" in graph or "module:_curses" in graph)


def wants_locale(natives: Natives) -> bool:
    """Whether the application has to do with locales: then there is the one that every system has beside C."""
    wanted = wants_terminal(natives) or _imports_itself(natives, "locale")
    return wanted and (LOCALE / "LC_CTYPE").exists()


def _imports_itself(natives: Natives, name: str) -> bool:
    """Whether the application's own modules import a module of the standard library. What a lock names is linked to the
    start, whoever imported it."""
    graph, target = natives.imports.graph, f"module:{name}"
    users = graph.predecessors(target) if target in graph else ()
    own = [user for user in users if getattr(graph.nodes[user]["node"], "layer", "") == "app"]
    return any(graph.edges[user, target]["edge"].origin not in ("recorded", "runtime") for user in own)


def _terminals() -> Iterator[ImageFile]:
    """Descriptions of common terminals (terminfo(5)), in the folder that this machine's ncurses reads."""
    for name in TERMINALS:
        for base in TERMINFO:
            for place in (base / name[0] / name, base / f"{ord(name[0]):x}" / name):
                if place.is_file():
                    yield ImageFile(str(place), FileKind.FILE, 0o644, "runtime", place.resolve())


def fixed(natives: Natives) -> Iterator[ImageFile]:
    """Folders, /etc and what certain modules expect to find."""
    graph = natives.imports.graph
    yield from (folder(path, mode) for path, mode in FOLDERS.items())
    network = "module:_socket" in graph
    for name, content in ETC.items():
        if network or name not in NETWORK_ETC:
            yield text(f"/etc/{name}", content)
    if network:
        yield link("/etc/resolv.conf", "/proc/net/pnp")  # what DHCP found out; reading it waits for that
    if "module:_ssl" in graph:
        yield from _certificates(natives)
    if "module:zoneinfo" in graph and "module:tzdata" not in graph and ZONES.is_dir():
        yield from _zones()
    if wants_terminal(natives):
        yield from _terminals()
    if wants_locale(natives):
        for file in sorted(LOCALE.rglob("*")):
            if file.is_file():
                yield ImageFile(
                    f"{LOCALE}/{file.relative_to(LOCALE).as_posix()}", FileKind.FILE, 0o644, "runtime", file
                )
    python = natives.imports.source.python
    packages = any(m.layer == "dependencies" for m in natives.imports.modules)
    if packages and (searched := searched_site(python)) != python.guest_site:
        yield link(searched, python.guest_site, "interpreter")


def searched_site(python: Interpreter) -> str:
    """The folder of packages as the interpreter names it. Where it looks elsewhere (Debian's dist-packages), the last
    of its folders leads to ours."""
    sites = python.guest_sites
    return python.guest_site if not sites or python.guest_site in sites else sites[-1]


def _certificates(natives: Natives) -> Iterator[ImageFile]:
    bundle = next((b for b in BUNDLES if b.is_file()), None)
    if bundle is not None:
        yield ImageFile(GUEST_BUNDLE, FileKind.FILE, 0o644, "dependencies", bundle)
    for library in natives.libraries:
        if library.soname.startswith("libcrypto.so"):
            match = re.search(rb'OPENSSLDIR: "([^"]+)"', library.host.read_bytes())
            if match and bundle is not None:
                home = match[1].decode()
                yield link(f"{home}/cert.pem", GUEST_BUNDLE, "dependencies")
                if (config := Path(home, "openssl.cnf")).is_file():
                    yield ImageFile(f"{home}/openssl.cnf", FileKind.FILE, 0o644, "dependencies", config)


def _zones() -> Iterator[ImageFile]:
    """The system's time zones, without the copies in other conventions."""
    for file in sorted(ZONES.rglob("*")):
        relative = file.relative_to(ZONES)
        if relative.parts[0] in ("posix", "right", "localtime", "posixrules", "leapseconds", "leap-seconds.list"):
            continue
        guest = f"{ZONES}/{relative.as_posix()}"
        if file.is_symlink() and not file.readlink().is_absolute():
            yield link(guest, str(file.readlink()), "dependencies")
        elif file.is_file():
            yield ImageFile(guest, FileKind.FILE, 0o644, "dependencies", file)
