/* memory/user.c - the kernel's access to user memory.
 *
 * User pages are mapped while the kernel runs, so it just copies; a page that is not there comes by a fault.
 * Where none can come, the table unikit_extable says at which instruction to go on (boot/traps.c).
 */
#include "extable.h"
#include "memory.h"
#include "pte.h"

/* The lowest zero byte of a word w is where (w - ONES) & ~w & HIGHS has its lowest bit. */
#define ONES  0x0101010101010101UL
#define HIGHS 0x8080808080808080UL

static bool is_user(const void __user *p, size_t n)
{
    return n <= USER_END && (uintptr_t)p <= USER_END - n;
}

#ifdef UNIKIT_HOST
static bool move(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return true;
}
static bool clear(void *to, size_t n)
{
    memset(to, 0, n);
    return true;
}
static bool load_byte(const char *from, char *value)
{
    *value = *from;
    return true;
}
static bool load_word(const char *from, uint64_t *value)
{
    memcpy(value, from, sizeof(*value));
    return true;
}
#else
/* False: a fault that could not be mended. */
static bool move(void *to, const void *from, size_t n)
{
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile goto("test %%rcx, %%rcx\n\t"
                          "jz 2f\n"
                          "1: rep movsq\n"
                          "2: mov %[rest], %%rcx\n\t"
                          "jrcxz 4f\n"
                          "3: rep movsb\n"
                          "4:\n\t" EXTABLE("1b", "%l[fault]") EXTABLE("3b", "%l[fault]")
                          : "+D"(to), "+S"(from), "+c"(words)
                          : [rest] "r"(rest)
                          : "memory"
                          : fault);
    return true;
fault:
    return false;
}

static bool clear(void *to, size_t n)
{
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile goto("1: rep stosq\n\t"
                          "mov %[rest], %%rcx\n"
                          "2: rep stosb\n\t" EXTABLE("1b", "%l[fault]") EXTABLE("2b", "%l[fault]")
                          : "+D"(to), "+c"(words)
                          : [rest] "r"(rest), "a"(0UL)
                          : "memory"
                          : fault);
    return true;
fault:
    return false;
}

static bool load_word(const char *from, uint64_t *value)
{
    uint64_t got;

    __asm__ volatile goto("1: movq (%[from]), %[got]\n\t" EXTABLE("1b", "%l[fault]")
                          : [got] "=r"(got)
                          : [from] "r"(from)
                          : "memory"
                          : fault);
    *value = got;
    return true;
fault:
    return false;
}

static bool load_byte(const char *from, char *value)
{
    char got;

    __asm__ volatile goto("1: movb %[from], %[got]\n\t" EXTABLE("1b", "%l[fault]")
                          : [got] "=q"(got)
                          : [from] "m"(*from)
                          :
                          : fault);
    *value = got;
    return true;
fault:
    return false;
}
#endif

int copy_in(void *to, const void __user *from, size_t n)
{
    return is_user(from, n) && move(to, from, n) ? 0 : -EFAULT;
}

int copy_out(void __user *to, const void *from, size_t n)
{
    return is_user(to, n) && move(to, from, n) ? 0 : -EFAULT;
}

int clear_out(void __user *to, size_t n)
{
    return is_user(to, n) && clear(to, n) ? 0 : -EFAULT;
}

long string_in(char *to, const char __user *from, size_t size)
{
    size_t i = 0;

    while (i < size) {
        uint64_t word;
        /* By words where one does not cross into another page, which may not be there. */
        if (size - i >= sizeof(word) && (uintptr_t)(from + i) % PAGE_SIZE <= PAGE_SIZE - sizeof(word) &&
            is_user(from + i, sizeof(word))) {
            if (!load_word(from + i, &word))
                return -EFAULT;
            memcpy(to + i, &word, sizeof(word));
            uint64_t zero = (word - ONES) & ~word & HIGHS;
            if (zero)
                return (long)(i + (size_t)__builtin_ctzl(zero) / 8);
            i += sizeof(word);
            continue;
        }
        if (!is_user(from + i, 1) || !load_byte(from + i, &to[i]))
            return -EFAULT;
        if (!to[i])
            return (long)i;
        i++;
    }
    return -ENAMETOOLONG;
}

int user_hold(const void __user *p, size_t n, bool write)
{
    uintptr_t at = align_down((uintptr_t)p, PAGE_SIZE), end = (uintptr_t)p + n;

    if (!is_user(p, n))
        return -EFAULT;
    for (; at < end; at += PAGE_SIZE) {
        const uint64_t *entry = pte_find(at, NULL);
        int error;
        if (entry && (*entry & PTE_PRESENT) && (!write || (*entry & PTE_WRITE)))
            continue;
        error = space_fault(at, write ? FAULT_WRITE : 0);
        if (error == -ENOMEM)
            space_out_of_memory();
        if (error)
            return -EFAULT;
    }
    return 0;
}
