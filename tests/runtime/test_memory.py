"""memory/: the page allocator, the heap and the address space, on the host, against models."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import Any

import cffi
import pytest

Library = tuple[Any, cffi.FFI]
Build = Callable[..., Library]

PAGE = 4096
NONE, READ, WRITE, EXEC = 0, 1, 2, 4
SHARED, PRIVATE, FIXED, ANONYMOUS, STACK, NORESERVE, NOREPLACE = 1, 2, 0x10, 0x20, 0x20000, 0x4000, 0x100000
BASE = 0x10000000  # of the window in which the address space is tried
RAM_PAGES = 4096

DECLARATIONS = """
    void pages_add(uintptr_t start, uintptr_t end);
    void *pages_alloc(unsigned order);
    void pages_free(void *pages, unsigned order);
    void *page_alloc(void);
    void page_get(void *page);
    void page_put(void *page);
    unsigned page_users(const void *page);
    struct page_totals { size_t total, free, low; };
    struct page_totals pages_totals(void);
    void *kmalloc(size_t size);
    void *krealloc(void *p, size_t size);
    void kfree(void *p);
    void set_up(size_t pages, size_t gap);
    void set_up_space(void);
    long map(uintptr_t at, size_t pages, int prot, int flags, long file_page);
    int space_unmap(uintptr_t start, size_t length);
    int space_protect(uintptr_t start, size_t length, int prot);
    long sys_madvise(uintptr_t start, size_t length, int advice);
    long sys_mremap(uintptr_t old, size_t old_size, size_t size, int flags, uintptr_t target);
    int peek(uintptr_t address);
    int poke(uintptr_t address, uint8_t value);
    void file_set(size_t page, uint8_t value);
    int file_get_byte(size_t page);
    struct space_totals { size_t mapped, resident; };
    struct space_totals space_totals(void);
"""

SUPPORT = """
#include <stdlib.h>
#include "file.h"
#include "memory.h"
#include "pte.h"
#include <linux/mman.h>

static char *ram;

/* `pages` of memory in two ranges with a hole of `gap` pages between them. */
void set_up(size_t pages, size_t gap)
{
    if (ram)
        return;
    ram = aligned_alloc(4 << 20, align_up((pages + gap) * PAGE_SIZE, 4UL << 20));
    uintptr_t start = (uintptr_t)ram, middle = start + pages / 2 * PAGE_SIZE;
    pages_add(start, middle);
    pages_add(middle + gap * PAGE_SIZE, start + (pages + gap) * PAGE_SIZE);
}

/* A file of 64 pages, in place, whose bytes on a page are all the same. */
static char *content;
static int content_page(struct file *f, uint64_t index, bool write, void **page)
{
    (void)f, (void)write;
    if (index >= 64)
        return -ENXIO;
    *page = content + index * PAGE_SIZE;
    return 0;
}
static const struct file_ops content_ops = {.page = content_page};
static struct file file = {.ops = &content_ops, .users = 1, .flags = 2};

void file_put(struct file *f)
{
    assert(f->users > 1);
    f->users--;
}
struct file *fd_get(int fd)
{
    return fd == 3 ? file_get(&file) : NULL;
}
void process_exit(int status, int signal)
{
    panic("the process ends: %d %d", status, signal);
}

void set_up_space(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    pte_set_top(page_alloc_zero());
    content = aligned_alloc(PAGE_SIZE, 64 * PAGE_SIZE);
    memset(content, 0, 64 * PAGE_SIZE);
}

long map(uintptr_t at, size_t pages, int prot, int flags, long file_page)
{
    return space_map(at, pages * PAGE_SIZE, prot, flags, file_page < 0 ? NULL : &file,
                     file_page < 0 ? 0 : (uint64_t)file_page * PAGE_SIZE);
}

static uint8_t *reach(uintptr_t address, unsigned access, int *error)
{
    for (int tries = 0; tries < 2; tries++) {
        uint64_t *entry = pte_find(address, NULL);
        if (entry && (*entry & PTE_PRESENT) && (!(access & FAULT_WRITE) || (*entry & PTE_WRITE)))
            return (uint8_t *)pte_page(*entry) + address % PAGE_SIZE;
        *error = space_fault(address, access);
        if (*error)
            return NULL;
    }
    panic("a fault was answered and nothing came of it");
}
int peek(uintptr_t address)
{
    int error = 0;
    uint8_t *p = reach(address, 0, &error);
    return p ? *p : error;
}
int poke(uintptr_t address, uint8_t value)
{
    int error = 0;
    uint8_t *p = reach(address, FAULT_WRITE, &error);
    if (p)
        *p = value;
    return error;
}
void file_set(size_t page, uint8_t value)
{
    memset(content + page * PAGE_SIZE, value, PAGE_SIZE);
}
int file_get_byte(size_t page)
{
    return (uint8_t)content[page * PAGE_SIZE];
}
"""


@pytest.fixture(scope="module")
def memory(build: Build) -> Library:
    components = ["pages", "heap", "pte", "space", "fault", "remap", "advise"]
    library, ffi = build([f"memory/{name}" for name in components], DECLARATIONS, SUPPORT)
    library.set_up(RAM_PAGES, 37)
    library.set_up_space()
    return library, ffi


def test_blocks_are_aligned_disjoint_and_come_back(memory: Library) -> None:
    library, ffi = memory
    dice = random.Random(1)
    held: dict[int, int] = {}
    taken: set[int] = set()
    before = library.pages_totals().free
    for _ in range(4000):
        if held and dice.random() < 0.5:
            block = dice.choice(list(held))
            order = held.pop(block)
            taken -= {block + i * PAGE for i in range(1 << order)}
            library.pages_free(ffi.cast("void *", block), order)
        else:
            order = min(int(dice.expovariate(0.7)), 8)
            pointer = library.pages_alloc(order)
            if pointer == ffi.NULL:
                continue
            block = int(ffi.cast("uintptr_t", pointer))
            assert block % (PAGE << order) == 0
            ffi.memmove(pointer, b"\xee" * (PAGE << order), PAGE << order)
            pages = {block + i * PAGE for i in range(1 << order)}
            assert not pages & taken
            taken |= pages
            held[block] = order
        assert library.pages_totals().free == before - len(taken)
    for block, order in held.items():
        library.pages_free(ffi.cast("void *", block), order)
    totals = library.pages_totals()
    assert totals.free == before and totals.low < before
    largest = [library.pages_alloc(10) for _ in range(2)]  # all neighbours found each other again
    assert ffi.NULL not in largest
    for block in largest:
        library.pages_free(block, 10)


def test_a_page_goes_with_its_last_user(memory: Library) -> None:
    library, ffi = memory
    before = library.pages_totals().free
    page = library.page_alloc()
    library.page_get(page)
    assert library.page_users(page) == 2
    library.page_put(page)
    assert library.page_users(page) == 1 and library.pages_totals().free == before - 1
    library.page_put(page)
    assert library.pages_totals().free == before
    assert library.page_users(ffi.new("char[1]")) == 2  # nobody's: not to be written to


def test_heap_objects_keep_their_content(memory: Library) -> None:
    library, ffi = memory
    dice = random.Random(2)
    held: list[tuple[Any, int, int]] = []
    before = library.pages_totals().free
    for step in range(6000):
        if held and dice.random() < 0.48:
            pointer, size, seed = held.pop(dice.randrange(len(held)))
            assert bytes(ffi.buffer(pointer, size)) == bytes([seed]) * size
            if dice.random() < 0.3:
                larger = dice.randrange(1, 20000)
                pointer = library.krealloc(pointer, larger)
                kept = min(size, larger)
                assert bytes(ffi.buffer(pointer, kept)) == bytes([seed]) * kept
            library.kfree(pointer)
        else:
            size = dice.choice((dice.randrange(1, 300), dice.randrange(300, 9000)))
            pointer = library.kmalloc(size)
            assert int(ffi.cast("uintptr_t", pointer)) % 16 == 0
            ffi.memmove(pointer, bytes([step & 255]) * size, size)
            held.append((pointer, size, step & 255))
    for pointer, _, _ in held:
        library.kfree(pointer)
    assert before - library.pages_totals().free < 40  # a page a size may stay
    assert library.kmalloc(1 << 40) == ffi.NULL


def test_mappings_that_cannot_be(memory: Library) -> None:
    library, _ = memory
    anonymous = PRIVATE | ANONYMOUS
    assert library.map(0, 0, READ, anonymous, -1) == -errno.EINVAL
    assert library.map(0, 1 << 50, READ, anonymous, -1) == -errno.ENOMEM
    assert library.map(BASE + 1, 1, READ, anonymous | FIXED, -1) == -errno.EINVAL
    assert library.map(0x1000, 1, READ, anonymous | FIXED, -1) == -errno.EPERM
    assert library.map(0, 1, READ | WRITE | EXEC, anonymous, -1) == -errno.EACCES
    assert library.map(0, RAM_PAGES * 2, READ | WRITE, anonymous, -1) == -errno.ENOMEM
    reserved = library.map(0, RAM_PAGES * 2, NONE, anonymous | NORESERVE, -1)
    assert reserved > 0
    assert library.space_protect(reserved, RAM_PAGES * 2 * PAGE, READ | WRITE) == -errno.ENOMEM
    assert library.space_protect(reserved, 16 * PAGE, READ | WRITE) == 0
    assert library.poke(reserved + 15 * PAGE, 1) == 0 and library.poke(reserved + 16 * PAGE, 1) == -errno.EACCES
    assert library.space_unmap(reserved, RAM_PAGES * 2 * PAGE) == 0
    assert library.peek(reserved) == -errno.EFAULT
    first = library.map(BASE, 2, READ, anonymous | NOREPLACE, -1)
    assert first == BASE and library.map(BASE + PAGE, 1, READ, anonymous | NOREPLACE, -1) == -errno.EEXIST
    assert library.space_unmap(BASE, 2 * PAGE) == 0


def test_beyond_the_end_of_a_file(memory: Library) -> None:
    library, _ = memory
    at = library.map(0, 4, READ, SHARED, 62)
    assert library.peek(at + PAGE) >= 0 and library.peek(at + 2 * PAGE) == -errno.ENXIO
    assert library.space_unmap(at, 4 * PAGE) == 0


class Model:
    """What each page of the window should be: None (a hole), or [prot, file page or -1, shared, own value or None]."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.pages: dict[int, list[Any]] = {}

    def expected(self, page: int) -> int:
        entry = self.pages.get(page)
        if entry is None:
            return -errno.EFAULT
        prot, file_page, _, value = entry
        if prot == NONE:
            return -errno.EACCES
        if value is not None:
            return int(value)
        return int(self.library.file_get_byte(file_page)) if file_page >= 0 else 0

    def write(self, page: int, value: int) -> int:
        entry = self.pages.get(page)
        if entry is None:
            return -errno.EFAULT
        if not entry[0] & WRITE:
            return -errno.EACCES
        entry[3] = value
        return 0


@pytest.mark.parametrize("seed", range(4))
def test_random_mappings_hold_what_a_model_says(memory: Library, seed: int) -> None:
    library, _ = memory
    dice = random.Random(seed)
    model, size = Model(library), 96
    before = library.pages_totals().free
    for _ in range(2500):
        first = dice.randrange(size)
        count = min(dice.randrange(1, 20), size - first)
        at, pages = BASE + first * PAGE, range(first, first + count)
        prot = dice.choice((NONE, READ, READ | WRITE, READ | WRITE))
        action = dice.randrange(10)
        if action == 0:
            assert library.map(at, count, prot, PRIVATE | ANONYMOUS | FIXED, -1) == at
            model.pages.update({p: [prot, -1, False, None] for p in pages})
        elif action == 1:
            start = dice.randrange(64 - count)
            assert library.map(at, count, prot, PRIVATE | FIXED, start) == at
            model.pages.update({p: [prot, start + i, False, None] for i, p in enumerate(pages)})
        elif action == 2:
            assert library.space_unmap(at, count * PAGE) == 0
            for p in pages:
                model.pages.pop(p, None)
        elif action in (3, 4) and all(p in model.pages for p in pages):
            assert library.space_protect(at, count * PAGE, prot) == 0
            for p in pages:
                model.pages[p][0] = prot
        elif action == 5:
            whole = all(p in model.pages for p in pages)
            assert library.sys_madvise(at, count * PAGE, 4) == (0 if whole else -errno.ENOMEM)
            for p in pages:
                if p in model.pages:
                    model.pages[p][3] = None
        elif action == 6 and first in model.pages:
            far = BASE + 4 * size * PAGE
            moved = library.sys_mremap(at, count * PAGE, count * PAGE, 1 | 2, far)
            assert moved in (far, -errno.EFAULT)
            if moved == far:
                assert all(p in model.pages for p in pages)
                assert library.peek(at) == -errno.EFAULT
                assert library.sys_mremap(far, count * PAGE, count * PAGE, 1 | 2, at) == at
        else:
            for p in pages:
                value = dice.randrange(256)
                if dice.random() < 0.5:
                    assert library.poke(BASE + p * PAGE + 5, value) == model.write(p, value)
                else:
                    assert library.peek(BASE + p * PAGE + 5) == model.expected(p)
    for p in range(size):
        assert library.peek(BASE + p * PAGE + 5) == model.expected(p)
    assert library.space_unmap(BASE, size * PAGE) == 0
    assert library.space_totals().mapped == 0 and library.space_totals().resident == 0
    assert before - library.pages_totals().free < 8  # no page and no table was lost
