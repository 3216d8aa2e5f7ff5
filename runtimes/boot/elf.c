/* elf.c - the headers of a program file (System V gABI 4.1 chapters 4 and 5, x86-64 psABI). Pure: no file, no
 * memory is touched. */
#include "elf.h"
#include "memory.h"
#include <elf.h>
#include <asm/mman.h>

static int protection_of(uint32_t flags)
{
    return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/* One PT_LOAD: inside the file, inside user memory, congruent to its offset, above the one before. */
static int add_segment(struct elf *elf, const Elf64_Phdr *p, uint64_t size)
{
    if (p->p_memsz == 0)
        return 0;
    if (elf->segment_count == ELF_SEGMENTS)
        return -E2BIG;
    if (p->p_filesz > p->p_memsz || p->p_offset > size || p->p_filesz > size - p->p_offset)
        return -ENOEXEC;
    if (p->p_vaddr >= USER_END - PAGE_SIZE || p->p_memsz > USER_END - PAGE_SIZE - p->p_vaddr)
        return -ENOEXEC;
    if ((p->p_vaddr ^ p->p_offset) & ~PAGE_MASK && p->p_filesz)
        return -ENOEXEC;
    uint64_t start = align_down(p->p_vaddr, PAGE_SIZE), end = align_up(p->p_vaddr + p->p_memsz, PAGE_SIZE);
    if (elf->segment_count && start < elf->high)
        return -ENOEXEC;
    if (!elf->segment_count)
        elf->low = start;
    elf->high = end;
    elf->segments[elf->segment_count++] =
        (struct elf_segment){p->p_vaddr, p->p_memsz, p->p_offset, p->p_filesz, protection_of(p->p_flags)};
    return 0;
}

/* Where the program header table is in memory: AT_PHDR. */
static uint64_t header_address(const struct elf *elf, uint64_t offset, uint64_t bytes)
{
    for (unsigned i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *s = &elf->segments[i];
        if (offset >= s->offset && s->file_size >= bytes && offset - s->offset <= s->file_size - bytes)
            return s->address + (offset - s->offset);
    }
    return 0;
}

int elf_parse(const void *header, size_t length, uint64_t size, struct elf *elf)
{
    Elf64_Ehdr e;
    if (length < sizeof(e) || length > size)
        return -ENOEXEC;
    memcpy(&e, header, sizeof(e));
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS64 ||
        e.e_ident[EI_DATA] != ELFDATA2LSB)
        return -ENOEXEC;
    if (e.e_machine != EM_X86_64 || (e.e_type != ET_EXEC && e.e_type != ET_DYN) ||
        e.e_phentsize != sizeof(Elf64_Phdr))
        return -ENOEXEC;
    uint64_t bytes = (uint64_t)e.e_phnum * sizeof(Elf64_Phdr);
    if (e.e_phnum == 0 || e.e_phoff > length || bytes > length - e.e_phoff)
        return -ENOEXEC;

    *elf = (struct elf){
        .position_independent = e.e_type == ET_DYN, .entry = e.e_entry, .header_count = e.e_phnum};
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr p;
        int error = 0;
        memcpy(&p, (const char *)header + e.e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type == PT_LOAD) {
            error = add_segment(elf, &p, size);
        } else if (p.p_type == PT_INTERP) {
            if (p.p_filesz < 2 || p.p_filesz > 4096 || p.p_offset > size || p.p_filesz > size - p.p_offset)
                return -ENOEXEC;
            elf->interpreter_offset = p.p_offset, elf->interpreter_size = p.p_filesz;
        } else if (p.p_type == PT_GNU_STACK) {
            elf->executable_stack = p.p_flags & PF_X;
        }
        if (error)
            return error;
    }
    if (elf->segment_count == 0 || elf->entry < elf->low || elf->entry >= elf->high)
        return -ENOEXEC;
    elf->header_address = header_address(elf, e.e_phoff, bytes);
    return 0;
}
