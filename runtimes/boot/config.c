/* config.c - the boot configuration: tokens `key=value` from the image's boot.conf and from the command line.
 *
 * docs/architecture.md has the grammar and the keys. A source is added once the kernel heap works; values are
 * decoded in the source's own copy, so that config_get() hands out plain strings.
 */
#include "config.h"
#include "memory.h"

struct entry {
    const char *key, *value;
    bool override;
};
static struct entry *entries;
static size_t count, room;

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX in place; anything else after a % stands for itself. */
static void decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        int high, low;
        if (*s == '%' && (high = hex(s[1])) >= 0 && (low = hex(s[2])) >= 0)
            *to++ = (char)(high << 4 | low), s += 2;
        else
            *to++ = *s;
    }
    *to = 0;
}

static bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool add(char *token, bool override)
{
    char *equals = strchr(token, '=');
    if (!equals) /* a bare word: present, without a value */
        equals = token + strlen(token);
    if (count == room) {
        size_t more = room ? room * 2 : 64;
        struct entry *larger = krealloc(entries, more * sizeof(*entries));
        if (!larger)
            return false;
        entries = larger, room = more;
    }
    const char *value = *equals ? equals + 1 : equals;
    *equals = 0;
    decode((char *)(uintptr_t)value);
    entries[count++] = (struct entry){token, value, override};
    return true;
}

void config_add(const char *text, size_t length, bool override)
{
    char *copy = kmalloc(length + 2); /* a token that fills the end is followed by an empty value */
    if (!copy)
        boot_error("memory", "There is not enough memory for the boot configuration; give the guest more.");
    memcpy(copy, text, length);
    copy[length] = copy[length + 1] = 0;
    for (char *p = copy; *p;) {
        while (blank(*p))
            p++;
        char *token = p;
        while (*p && !blank(*p))
            p++;
        if (*p)
            *p++ = 0;
        if (*token && !add(token, override))
            boot_error("memory",
                       "There is not enough memory for the boot configuration; give the guest more.");
    }
}

void config_forget_overrides(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!entries[i].override)
            entries[kept++] = entries[i];
    count = kept;
}

const char *config_get(const char *key)
{
    const struct entry *best = NULL;
    for (size_t i = 0; i < count; i++)
        if ((!best || entries[i].override >= best->override) && strcmp(entries[i].key, key) == 0)
            best = &entries[i];
    return best ? best->value : NULL;
}

const char *config_each(const char *key, size_t i)
{
    for (int override = 0; override <= 1; override++)
        for (size_t at = 0; at < count; at++)
            if (entries[at].override == override && strcmp(entries[at].key, key) == 0 && i-- == 0)
                return entries[at].value;
    return NULL;
}

const char *config_each_override(const char *key, size_t i)
{
    for (size_t at = 0; at < count; at++)
        if (entries[at].override && strcmp(entries[at].key, key) == 0 && i-- == 0)
            return entries[at].value;
    return NULL;
}
