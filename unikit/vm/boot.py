"""Boots an image under QEMU and says what became of it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unikit.errors import ExitCode, UserError
from unikit.image.image import SMALLEST, Image, is_elf
from unikit.image.manifest import Manifest
from unikit.progress import Progress
from unikit.vm import absent, accelerator, machine, ports, report, shared, terminal
from unikit.vm.machine import Forward, Guest, Volume
from unikit.vm.qemu import Channels, find_qemu
from unikit.vm.supervisor import Ended, Limits, Supervisor

# What programs are told where QEMU translates code, unless the user says otherwise.
TCG_ENVIRONMENT = {
    # glibc copies with `rep movsb` from 2 KiB on, which takes 2 ns a byte where QEMU translates code (TCG): eight times
    # as long as its vector loops
    "GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000",
    # QEMU 7.2 loads wrong elements in VGATHERQPD with a mask, by which numpy sorts on such processors
    "NPY_DISABLE_CPU_FEATURES": "AVX2 X86_V3",
}
APPEND_LIMIT = 16384  # bytes of boot tokens that QEMU and the kernel take


@dataclass(frozen=True)
class Options:
    """How to run an image. `memory` in MiB (None: as the image says), limits in seconds."""

    machine: str = machine.DEFAULT
    memory: int | None = None
    forwards: tuple[Forward, ...] = ()
    volumes: tuple[Volume, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    tokens: tuple[tuple[str, str], ...] = ()  # further boot tokens
    interactive: bool = False
    feed_input: bool = False
    boot_limit: float | None = 60.0
    run_limit: float | None = None
    accelerator: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a run: `status` is the application's own, 128 + n for signal n."""

    status: int
    ended: Ended


@dataclass(frozen=True)
class Prepared:
    """A guest that can be started: QEMU's command, the channels that it inherits, the options with what was chosen."""

    command: list[str]
    channels: Channels
    options: Options


def prepare(image: Image, options: Options, progress: Progress, *, app_channel: bool = False) -> Prepared:
    """Find QEMU, claim the ports and put the command together; `app_channel`: the application gets its own channel.

    Raises UserError: NO_QEMU, PORT_TAKEN, CONFIGURATION, MEMORY, USAGE.
    """
    qemu = find_qemu()
    if qemu is None:
        raise no_qemu()
    profile = machine.load(options.machine)
    memory = options.memory if options.memory is not None else image.manifest.memory
    needed = image.manifest.smallest or SMALLEST + report.mebibytes(image.path.stat().st_size)
    if memory < needed:
        raise UserError(
            f"{memory} MiB of memory are too little for this image.",
            code=ExitCode.MEMORY,
            hint=f"It needs {needed} MiB at least: try -m {needed + 32}.",
        )
    forwards = ports.claim(options.forwards)
    for given, claimed in zip(options.forwards, forwards, strict=True):
        if given.host == 0:
            progress.note(f"port {claimed.guest} of the guest is {claimed.address}:{claimed.host}")
            progress.event("port", host=claimed.host, guest=claimed.guest, address=claimed.address)
    accel = options.accelerator or accelerator.choose(str(qemu))
    network = image.manifest.network or bool(forwards)
    append = tokens(with_address(options) if network else options, accel)
    channels = Channels(app=app_channel)
    console, serial, channel = channels.descriptors
    kernel, sharing = _memory(image, memory)
    guest = Guest(
        image=kernel,
        machine=profile,
        memory=memory,
        accelerator=accel,
        append=append,
        console=console,
        serial=serial,
        report=channel,
        app=channels.app_descriptor,
        forwards=forwards,
        network=network,
        volumes=options.volumes,
        extra=(*sharing, *options.extra),
    )
    chosen = replace(options, forwards=forwards, memory=memory, accelerator=accel)
    return Prepared(machine.command(str(qemu), guest), channels, chosen)


def run(
    image: Image,
    options: Options,
    progress: Progress,
    *,
    output: Callable[[bytes], None] | None = None,
    on_event: Callable[[dict[str, Any]], str | None] | None = None,
    on_start: Callable[[Supervisor], None] | None = None,
) -> Outcome:
    """Boot `image` and wait for its end; console output goes to `output` (default: standard output). `on_start`
    gets the supervisor before the guest starts, to speak to it while it runs.

    Raises UserError: NO_QEMU, PORT_TAKEN, CONFIGURATION, DEADLINE, MEMORY, GUEST.
    """
    prepared = prepare(image, options, progress)

    def see(event: dict[str, Any]) -> str | None:
        progress.event("guest", report=event)
        return on_event(event) if on_event else None

    supervisor = Supervisor(
        prepared.command,
        prepared.channels,
        Limits(options.boot_limit, options.run_limit),
        output=output or console_writer(interactive=options.interactive),
        on_event=see,
        interactive=options.interactive,
        feed_input=options.feed_input,
    )
    if on_start:
        on_start(supervisor)
    ended = supervisor.run()
    return Outcome(conclude(ended, image.manifest, prepared.options, progress, lambda: unused(image.path)), ended)


def unused(image: Path) -> Collection[str]:
    """The files that an image left out because a traced run did not use them."""
    from unikit.image import inventory  # graphs are of no use to a run that goes well

    return inventory.unused(image)


def _memory(image: Image, memory: int) -> tuple[Path, tuple[str, ...]]:
    """What QEMU loads, and how: the memory of a frozen image is shared with other guests that run it."""
    if image.manifest.frozen:
        with contextlib.suppress(OSError, ValueError):  # no room for the file: the image works by itself
            found = shared.prepare(image, memory)
            return found.entry, found.options(memory)
    return image.path, ()


def no_qemu() -> UserError:
    """What to say where there is none."""
    return UserError(
        "QEMU is missing (qemu-system-x86_64).",
        code=ExitCode.NO_QEMU,
        hint="Install it: apt install qemu-system-x86. `unikit doctor` checks everything.",
    )


def with_address(options: Options) -> Options:
    """User-mode networking gives out the same address to everyone: the guest need not ask, unless there are others."""
    own = any(word in ("-netdev", "-nic", "-net") or "virtio-net" in word for word in options.extra)
    if own or any(key == "ip" for key, _ in options.tokens):
        return options
    return replace(options, tokens=(*options.tokens, machine.USER_ADDRESS))


def tokens(options: Options, accel: str) -> str:
    """The boot tokens for the kernel's command line. Raises UserError (USAGE) if there are too many."""
    environment = dict(options.environment)
    if accel == "tcg":
        environment = {**TCG_ENVIRONMENT, **environment}
    if options.interactive and "TERM" not in environment and os.environ.get("TERM"):
        environment["TERM"] = os.environ["TERM"]
    pairs = [("env", f"{key}={value}") for key, value in environment.items()]
    pairs += [("arg", argument) for argument in options.arguments]
    pairs += machine.volume_tokens(options.volumes)
    text = machine.encode([*pairs, *options.tokens])
    if len(text) > APPEND_LIMIT:
        raise UserError(
            f"The arguments and environment are too long ({len(text)} of {APPEND_LIMIT} bytes).",
            code=ExitCode.USAGE,
            hint="Put long values into a file of the application, or into [tool.unikit] environment.",
        )
    return text


def console_writer(*, interactive: bool) -> Callable[[bytes], None]:
    """Writes the guest's console to standard output; for a pipe or a file a terminal's CR LF becomes LF."""
    descriptor = sys.stdout.fileno()
    sys.stdout.flush()
    if interactive or os.isatty(descriptor):
        return lambda data: terminal.write(descriptor, data)
    held = b""

    def plain(data: bytes) -> None:
        nonlocal held
        data = held + data
        held = b"\r" if data.endswith(b"\r") else b""
        terminal.write(descriptor, data.removesuffix(b"\r").replace(b"\r\n", b"\n"))

    return plain


def conclude(
    ended: Ended,
    manifest: Manifest,
    options: Options,
    progress: Progress,
    unused: Callable[[], Collection[str]] = tuple,
) -> int:
    """The status of the run; says what the user should know, and raises UserError where there is no status. `unused`
    gives the files that the image left out because a traced run did not use them."""
    log = ended.log
    for line in report.missing(log.missing, manifest):
        progress.warn(line)
    if log.crash:
        progress.alert(*report.crash(log.crash, manifest))
    if log.oom:
        enough = report.mebibytes(report.number(log.oom.get("enough")))
        total = report.mebibytes(report.number(log.oom.get("total")))
        error = UserError(f"The guest ran out of memory ({total} MiB).", code=ExitCode.MEMORY, hint=f"Try -m {enough}.")
        if log.status is None:
            raise error
        progress.alert(f"{error.message} {error.hint}")
    if log.status and (advice := absent.advice(log.stderr, unused)):
        progress.alert(advice)
    if log.status is not None:
        return log.status
    if ended.stopped:
        return 0
    if ended.late:
        raise _late(ended, options)
    if ended.impatient:
        return 128 + 2
    raise _failure(ended, manifest, options)


def _late(ended: Ended, options: Options) -> UserError:
    reached = ended.log.phase or "none"
    if ended.late == "boot":
        limit = options.boot_limit if options.run_limit is None else min(options.run_limit, options.boot_limit or 1e9)
        return UserError(
            f"The boot took longer than {limit:g} s; the last phase reached: {reached}.",
            code=ExitCode.DEADLINE,
            hint="Give it more time with --boot-timeout SECONDS, or see what it says with --verbose.",
        )
    return UserError(f"The application was still running after {options.run_limit:g} s.", code=ExitCode.DEADLINE)


def _failure(ended: Ended, manifest: Manifest, options: Options) -> UserError:
    """Why a guest went off without the status of an application."""
    log, text = ended.log, ended.qemu_text
    if log.error:
        return UserError(
            str(log.error.get("message") or "The guest could not boot."),
            code=ExitCode.MEMORY if log.error.get("code") == "memory" else ExitCode.GUEST,
        )
    if log.panic:
        return UserError(
            f"The guest's kernel failed: {log.panic.get('message')}",
            code=ExitCode.GUEST,
            hint="This is a bug in unikit.",
            details=tuple(report.frames(log.panic.get("frames") or (), manifest)),
        )
    if "host forwarding" in text:
        for forward in options.forwards:
            if str(forward) in text or len(options.forwards) == 1:
                return ports.taken(forward)
        return UserError("A port of the host is in use.", code=ExitCode.PORT_TAKEN, details=(text,))
    if "cannot set up guest memory" in text or "Cannot allocate memory" in text:
        return UserError(
            f"The host has no {options.memory} MiB of memory for the guest.",
            code=ExitCode.MEMORY,
            hint="Give it less with -m.",
        )
    status = ended.qemu_status
    if status and text:
        return UserError("QEMU does not start.", code=ExitCode.NO_QEMU, details=tuple(text.splitlines()))
    if status is not None and status < 0:
        return UserError(f"QEMU was ended by {report.signal_name(-status)}.", code=ExitCode.NO_QEMU)
    if status is not None and status & 1 and status > 1:
        return UserError(
            f"The guest went off with status {status >> 1} before its application ended.",
            code=ExitCode.GUEST,
            hint="Its console says why; --verbose shows the kernel's messages.",
        )
    return UserError(
        f"The guest went off without a word; the last phase reached: {log.phase or 'none'}.",
        code=ExitCode.GUEST,
        hint="More memory may help (-m); --verbose shows the kernel's messages.",
    )


def is_image(path: Path) -> bool:
    """Whether `run` should take `path` as an image rather than an application."""
    return path.is_file() and (is_elf(path) or path.suffix in (".img", ".elf", ".unikit"))
