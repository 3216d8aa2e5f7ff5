// components: boot/elf
/* The program headers of an executable: whatever they say, the segments that come out lie inside the file and
 * inside user memory, in order and without overlapping. */
#include "../../../runtimes/boot/elf.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf elf;
    /* The first byte says how much of the file the header buffer holds. */
    if (size < 1)
        return 0;
    size_t length = size - 1, header = data[0] < 128 ? length : length * data[0] / 255;
    uint8_t *copy = kmalloc(header ? header : 1);
    memcpy(copy, data + 1, header);
    if (elf_parse(copy, header, length, &elf) == 0) {
        uint64_t reached = 0;
        assert(elf.segment_count > 0 && elf.segment_count <= ELF_SEGMENTS);
        for (unsigned i = 0; i < elf.segment_count; i++) {
            const struct elf_segment *s = &elf.segments[i];
            assert(s->offset <= length && s->file_size <= length - s->offset);
            assert(s->file_size <= s->memory_size && s->address + s->memory_size <= USER_END);
            assert(align_down(s->address, PAGE_SIZE) >= reached);
            reached = align_up(s->address + s->memory_size, PAGE_SIZE);
        }
        assert(elf.low <= elf.entry && elf.entry < elf.high && elf.high == reached);
        if (elf.interpreter_size)
            assert(elf.interpreter_offset + elf.interpreter_size <= length);
        if (elf.header_address)
            assert(elf.header_address >= elf.low && elf.header_address < elf.high);
    }
    kfree(copy);
    return 0;
}
