/* hosts.c - /etc/hosts: the machine's own name leads to its address (hosts(5)), unless the image's file says
 * something else.
 *
 * It is written when it is opened: few boots look at it, and all would pay for it. */
#include "hosts.h"

#include "config.h"
#include "file.h"
#include "inet.h"

static char *hosts; /* as the image has it */
static ip_addr_t own;

/* Does the text have this word? */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strchr(at, word[0])); at++) {
        bool starts = at == text || at[-1] == ' ' || at[-1] == '\t';
        if (starts && strncmp(at, word, n) == 0 && (!at[n] || strchr(" \t\n", at[n])))
            return true;
    }
    return false;
}

static char *append(char *to, const char *text)
{
    while (*text)
        *to++ = *text++;
    return to;
}

static void hosts_write(void)
{
    const char *name = config_get("hostname");
    char printed[64] = "127.0.1.1";
    if (!name)
        name = "unikit";
    if (!hosts || has_word(hosts, name))
        return;
    if (!ip_addr_isany(&own))
        address_print(printed, sizeof(printed), &own);
    size_t length = strlen(hosts);
    char *text = kmalloc(length + strlen(printed) + strlen(name) + 4), *end;
    if (!text)
        return;
    end = append(text, hosts);
    if (length && hosts[length - 1] != '\n')
        *end++ = '\n';
    end = append(end, printed);
    *end++ = ' ';
    end = append(end, name);
    *end++ = '\n';
    kernel_write_file("/etc/hosts", text, (size_t)(end - text));
    kfree(text);
}

static struct late_file file = {.write = hosts_write};

void hosts_changed(const ip_addr_t *address)
{
    own = address ? *address : (ip_addr_t){0};
    file.stale = true;
}

/* The file is there from the start, whether or not an interface is. */
INIT(network)
{
    size_t length;
    if (kernel_read_file("/etc/hosts", &hosts, &length) != 0)
        hosts = kstrdup("127.0.0.1 localhost\n::1 localhost\n");
    hosts_write();
    late_file_add(&file, "/etc/hosts");
}
