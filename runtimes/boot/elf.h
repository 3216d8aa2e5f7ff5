/* elf.h - what exec needs to know of a program file. (boot/elf.c) */
#ifndef UNIKIT_ELF_H
#define UNIKIT_ELF_H

#include "kernel.h"

#define ELF_SEGMENTS 16

struct elf_segment {
    uint64_t address, memory_size; /* as linked */
    uint64_t offset, file_size;
    int protection; /* PROT_* */
};

struct elf {
    bool position_independent;
    uint64_t entry;              /* as linked */
    uint64_t low, high;          /* the segments' bounds, page aligned */
    uint64_t header_address;     /* AT_PHDR, as linked; 0: the table is in no segment */
    uint16_t header_count;       /* AT_PHNUM */
    uint64_t interpreter_offset; /* PT_INTERP: a string in the file; size 0: none */
    uint64_t interpreter_size;
    bool executable_stack;
    unsigned segment_count;
    struct elf_segment segments[ELF_SEGMENTS];
};

/* Reads the headers of an x86-64 program (System V ABI, chapters 4 and 5): `header` is the file's first
 * `length` bytes, `size` the whole file's. Everything in them is distrusted. 0, -ENOEXEC (not such a program,
 * or inconsistent), -E2BIG (too many segments). */
int elf_parse(const void *header, size_t length, uint64_t size, struct elf *elf);

#endif
