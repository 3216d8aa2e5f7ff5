/* vfs/unix_name.c - the names of AF_UNIX sockets (unix(7), "Address format"): paths, which are socket nodes
 * in the file system, and abstract names, which begin with NUL and live here.
 */
#include "unix.h"

#include "memory.h"
#include "node.h"

enum { NAME_HEAD = 2, SOCKET_MODE = 0140777, TYPE_MASK = 0170000, SOCKET_TYPE = 0140000 };

/* The file system may be missing where the family is tested alone. */
int path_find(const char *path, bool follow, struct node **) WEAK;
int path_make(const char *path, uint32_t mode, uint32_t rdev, struct node **) WEAK;

static struct list abstract_names = LIST_INIT(abstract_names);

struct unix_address *unix_address_get(struct unix_address *a)
{
    if (a)
        a->users++;
    return a;
}

void unix_address_put(struct unix_address *a)
{
    if (!a || --a->users)
        return;
    kfree(a);
}

static struct unix_address *address_new(const struct unix_name *name, unsigned length)
{
    struct unix_address *a = kzalloc(sizeof(*a));
    if (!a)
        return NULL;
    a->users = 1;
    a->length = length;
    memcpy(&a->name, name, length);
    a->name.family = AF_UNIX;
    list_init(&a->link);
    return a;
}

static struct unix_address *find_abstract(const struct unix_name *name, unsigned length)
{
    list_for_each (p, &abstract_names) {
        struct unix_address *a = list_entry(p, struct unix_address, link);
        if (a->length == length && memcmp(a->name.path, name->path, length - NAME_HEAD) == 0)
            return a;
    }
    return NULL;
}

/* The name with its path NUL-terminated. */
static int name_in(char copy[sizeof(struct unix_name) + 1], const void *name, unsigned length)
{
    uint16_t family;
    if (length < NAME_HEAD || length > sizeof(struct unix_name))
        return -EINVAL;
    memcpy(&family, name, sizeof(family));
    if (family != AF_UNIX)
        return -EINVAL;
    memset(copy, 0, sizeof(struct unix_name) + 1);
    memcpy(copy, name, length);
    return 0;
}

static void give_name(struct unix_socket *s, struct unix_address *a)
{
    a->socket = s;
    s->address = a;
}

static int bind_abstract(struct unix_socket *s, const struct unix_name *name, unsigned length)
{
    struct unix_address *a;
    if (find_abstract(name, length))
        return -EADDRINUSE;
    a = address_new(name, length);
    if (!a)
        return -ENOMEM;
    list_append(&abstract_names, &a->link);
    give_name(s, a);
    return 0;
}

/* An abstract name of five hexadecimal digits that nobody has. */
static int bind_any(struct unix_socket *s)
{
    static unsigned next;
    for (unsigned tries = 0; tries < 1 << 20; tries++) {
        struct unix_name name = {.family = AF_UNIX};
        char digits[8];
        int result;
        snprintf(digits, sizeof(digits), "%05x", next++ & 0xfffff);
        memcpy(name.path + 1, digits, 5);
        result = bind_abstract(s, &name, NAME_HEAD + 6);
        if (result != -EADDRINUSE)
            return result;
    }
    return -EADDRINUSE;
}

static int bind_path(struct unix_socket *s, struct unix_name *name, const char *path)
{
    unsigned length = NAME_HEAD + (unsigned)strnlen(path, UNIX_PATH_ROOM) + 1;
    struct unix_address *a;
    int result;

    length = min(length, (unsigned)sizeof(*name)); /* a full path has no NUL in the name */
    a = address_new(name, length);
    if (!a)
        return -ENOMEM;
    result = path_make ? path_make(path, SOCKET_MODE, 0, &a->node) : -ENOENT;
    if (result < 0) {
        kfree(a);
        return result == -EEXIST ? -EADDRINUSE : result;
    }
    a->node->data = a;
    give_name(s, a);
    return 0;
}

int unix_bind(struct unix_socket *s, const void *name, unsigned length)
{
    union {
        struct unix_name name;
        char bytes[sizeof(struct unix_name) + 1];
    } copy;
    int result = name_in(copy.bytes, name, length);

    if (result < 0)
        return result;
    if (s->address)
        return length == NAME_HEAD ? 0 : -EINVAL;
    if (length == NAME_HEAD)
        return bind_any(s);
    if (copy.name.path[0] == '\0')
        return bind_abstract(s, &copy.name, length);
    return bind_path(s, &copy.name, copy.bytes + NAME_HEAD);
}

/* The name ends for others; the node stays in the file system, as a socket that refuses connections. */
void unix_unbind(struct unix_socket *s)
{
    struct unix_address *a = s->address;
    s->address = NULL;
    if (a && a->socket == s) {
        a->socket = NULL;
        list_remove(&a->link);
        if (a->node) {
            a->node->data = NULL;
            node_put(a->node);
            a->node = NULL;
        }
    }
    unix_address_put(a);
}

static int find_path(const char *path, struct unix_socket **s)
{
    struct node *node;
    const struct unix_address *a;
    int result = path_find ? path_find(path, true, &node) : -ENOENT;

    if (result < 0)
        return result;
    a = (node->mode & TYPE_MASK) == SOCKET_TYPE ? node->data : NULL;
    *s = a ? a->socket : NULL;
    node_put(node);
    return *s ? 0 : -ECONNREFUSED;
}

int unix_find(const void *name, unsigned length, struct unix_socket **s)
{
    union {
        struct unix_name name;
        char bytes[sizeof(struct unix_name) + 1];
    } copy;
    const struct unix_address *a;
    int result = name_in(copy.bytes, name, length);

    if (result < 0)
        return result;
    if (length == NAME_HEAD)
        return -EINVAL;
    if (copy.name.path[0])
        return find_path(copy.bytes + NAME_HEAD, s);
    a = find_abstract(&copy.name, length);
    *s = a ? a->socket : NULL;
    return *s ? 0 : -ECONNREFUSED;
}

void unix_name_out(const struct unix_address *a, void *name, unsigned *length)
{
    const uint16_t family = AF_UNIX;
    *length = a ? a->length : NAME_HEAD;
    memcpy(name, a ? (const void *)&a->name : &family, *length);
}
