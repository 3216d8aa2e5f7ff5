/* console/frames.c - backtraces for the report channel: which module an address belongs to, and the chain of
 * frame pointers (System V ABI for x86-64, section 3.2.2: at rbp lies the caller's rbp, above it the return
 * address).
 *
 * Code built without frame pointers leaves anything in rbp, so every step is checked: addresses rise, lie in
 * the same stack, and in user code a return address lies in executable memory.
 */
#include <linux/mman.h>

#include "file.h"
#include "memory.h"
#include "report.h"
#include "thread.h"

enum { FRAMES = 32 };

bool report_module(uintptr_t ip, const char **module, uint64_t *offset)
{
    const struct mapping *m = ip < USER_END ? space_find(ip) : NULL;
    if (!m || ip < m->start || !m->file || !m->file->path)
        return false;
    *module = m->file->path;
    *offset = ip - m->start + m->offset;
    return true;
}

static bool is_user_code(uintptr_t ip)
{
    const struct mapping *m = ip < USER_END ? space_find(ip) : NULL;
    return m && ip >= m->start && (m->prot & PROT_EXEC);
}

/* E8 rel32, and FF /2 in its short forms (SDM volume 2, CALL). */
static bool is_behind_call(uintptr_t address)
{
    uint8_t before[7];

    if (address < sizeof(before) ||
        copy_in(before, (const void __user *)(address - sizeof(before)), sizeof(before)))
        return false;
    if (before[2] == 0xe8)
        return true;
    for (size_t length = 2; length <= sizeof(before); length++) {
        const uint8_t *at = before + sizeof(before) - length;
        if (at[0] == 0xff && (at[1] >> 3 & 7) == 2)
            return true;
    }
    return false;
}

bool report_is_return(uintptr_t word)
{
    const struct mapping *m = word < USER_END ? space_find(word) : NULL;
    return m && m->file && (m->prot & PROT_EXEC) && is_behind_call(word);
}

/* The two words at a frame pointer. */
static bool read_frame(uintptr_t frame, bool kernel, uintptr_t words[2])
{
    if (frame % 8)
        return false;
    if (!kernel)
        return frame < USER_END && copy_in(words, (const void *)frame, 16) == 0;
    memcpy(words, (const void *)frame, 16);
    return true;
}

static char *put(char *to, const char *end, const char *text)
{
    while (*text && to < end)
        *to++ = *text++;
    return to;
}

/* Paths are the image's own; a character that JSON would want escaped becomes a question mark. */
static char *put_path(char *to, const char *end, const char *path)
{
    for (; *path && to < end; path++)
        *to++ = (unsigned char)*path < 0x20 || *path == '"' || *path == '\\' || *path & 0x80 ? '?' : *path;
    return to;
}

static char *put_frame(char *to, const char *end, uintptr_t ip)
{
    char text[64];
    const char *module;
    uint64_t offset;

    snprintf(text, sizeof(text), "{\"ip\":\"0x%lx\"", (unsigned long)ip);
    to = put(to, end, text);
    if (report_module(ip, &module, &offset)) {
        to = put(to, end, ",\"module\":\"");
        to = put_path(to, end, module);
        snprintf(text, sizeof(text), "\",\"offset\":\"0x%lx\"", (unsigned long)offset);
        to = put(to, end, text);
    }
    return put(to, end, "}");
}

void report_frames(uintptr_t ip, uintptr_t frame)
{
    static char text[4096];
    char *to = text, *const end = text + sizeof(text) - 2;
    const bool kernel = ip >= DIRECT_MAP;
    const uintptr_t limit = frame + (kernel ? KERNEL_STACK_SIZE : 64UL << 20);

    *to++ = '[';
    for (unsigned i = 0; i < FRAMES; i++) {
        uintptr_t words[2];
        char *before = to;
        to = put_frame(i ? put(to, end, ",") : to, end, ip);
        if (to == end) { /* cut short: the frames so far */
            to = before;
            break;
        }
        if ((kernel && frame < DIRECT_MAP) || !read_frame(frame, kernel, words))
            break;
        if (words[1] == 0 || (kernel ? words[1] < KERNEL_BASE : !is_user_code(words[1])))
            break;
        ip = words[1];
        if (words[0] <= frame || words[0] >= limit)
            frame = 1; /* the last one: not a frame any more */
        else
            frame = words[0];
    }
    *to++ = ']';
    *to = '\0';
    report_raw("frames", text);
}
