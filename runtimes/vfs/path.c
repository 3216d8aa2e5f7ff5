/* path.c - the walk along a path (path_resolution(7)): nothing but logic over node_ops.
 *
 * Every step holds a reference to the node it stands on, so a step may make and forget nodes. A link's target
 * and the rest of the path become a new text; at most 40 links are followed (ELOOP), so every walk ends. */
#include <linux/inotify.h>

#include "memory.h"
#include "path.h"

struct node *path_root, *path_cwd;
uint32_t path_umask = 022;

void walk_done(struct walk *w)
{
    if (w->node)
        node_put(w->node);
    if (w->file)
        file_put(w->file);
    if (w->directory)
        node_put(w->directory);
    w->node = w->directory = NULL;
    w->file = NULL;
}

/* target + '/' + rest as a new text. */
static int expand(struct node *link, const char *rest, char **text)
{
    size_t room = min(link->size, PATH_LONGEST - 1), length = strlen(rest);
    char *fresh;

    if (link->size >= PATH_LONGEST)
        return -ENAMETOOLONG;
    if (room == 0)
        room = 64; /* links of /proc do not know their length */
    if (length >= PATH_LONGEST)
        return -ENAMETOOLONG;
    fresh = kmalloc(room + length + 2);
    if (!fresh)
        return -ENOMEM;
    ssize_t n = link->ops->readlink ? link->ops->readlink(link, fresh, room) : -EINVAL;
    if (n == 0)
        n = -ENOENT;
    if (n < 0) {
        kfree(fresh);
        return (int)n;
    }
    if (memchr(fresh, 0, (size_t)n)) {
        kfree(fresh);
        return -EUCLEAN;
    }
    if (length)
        fresh[n++] = '/';
    memcpy(fresh + n, rest, length + 1);
    kfree(*text);
    *text = fresh;
    return 0;
}

static struct node *above(struct node *here, const struct node *root)
{
    return here == root || here == path_root || !here->parent ? here : here->parent;
}

int walk(struct walk *w, struct node *start, const char *path, unsigned flags)
{
    struct node *root = flags & (WALK_IN_ROOT | WALK_BENEATH) ? start : path_root, *here, *next = NULL;
    const uint32_t device = start->device;
    char *text = NULL;
    int links = 0, error = 0;

    w->node = w->directory = NULL;
    w->file = NULL;
    w->last = LAST_ROOT;
    w->slash = false;
    w->length = 0;
    w->name[0] = 0;
    if (!*path) {
        if (!(flags & WALK_EMPTY))
            return -ENOENT;
        w->node = node_get(start);
        w->last = LAST_DOT;
        return 0;
    }
    if (*path == '/' && flags & WALK_BENEATH)
        return -EXDEV;
    here = node_get(*path == '/' ? root : start);
    for (;;) {
        while (*path == '/')
            path++;
        if (!*path)
            break; /* nothing but slashes */
        const char *end = path;
        while (*end && *end != '/')
            end++;
        size_t length = (size_t)(end - path);
        const char *rest = end;
        while (*rest == '/')
            rest++;
        bool last = !*rest;
        error = -ENOTDIR;
        if (!node_is_directory(here) || !here->ops->lookup)
            goto failed;
        error = -ENAMETOOLONG;
        if (length > NAME_LONGEST)
            goto failed;

        enum walk_last kind = LAST_NAME;
        if (path[0] == '.' && length == 1) {
            kind = LAST_DOT;
            next = node_get(here);
        } else if (path[0] == '.' && path[1] == '.' && length == 2) {
            kind = LAST_DOTDOT;
            if (flags & WALK_BENEATH && here == root) {
                error = -EXDEV;
                goto failed;
            }
            next = node_get(above(here, root));
        } else {
            error = here->ops->lookup(here, path, length, &next);
            if (error == -ENOENT && last && flags & WALK_PARENT)
                next = NULL;
            else if (error)
                goto failed;
        }
        while (next && next->mounted) {
            struct node *under = next;
            next = node_get(under->mounted);
            node_put(under);
        }
        if (next && flags & WALK_NO_XDEV && next->device != device) {
            error = -EXDEV;
            goto failed_next;
        }

        bool slash = last && *end == '/';
        if (next && node_type(next) == NODE_LINK &&
            (!last || (flags & WALK_PARENT ? flags & WALK_FOLLOW && !slash : flags & WALK_FOLLOW || slash))) {
            error = -ELOOP;
            if (++links > LINKS_MOST || flags & WALK_NO_LINKS)
                goto failed_next;
            if (next->ops->follow) {
                struct node *target = NULL;
                if (flags & (WALK_NO_MAGIC | WALK_BENEATH | WALK_IN_ROOT))
                    goto failed_next;
                error = next->ops->follow(next, &target, &w->file);
                if (error)
                    goto failed_next;
                node_put(next);
                node_put(here);
                if (!target) {
                    if (last && !slash)
                        goto finished;
                    file_put(w->file);
                    w->file = NULL;
                    error = -ENOTDIR;
                    goto out;
                }
                here = target;
                path = end;
                if (last) {
                    if (slash && !node_is_directory(here)) {
                        error = -ENOTDIR;
                        goto failed;
                    }
                    w->node = here;
                    w->last = LAST_DOT;
                    w->slash = slash;
                    goto finished;
                }
                continue;
            }
            error = expand(next, end, &text);
            if (error)
                goto failed_next;
            node_put(next);
            path = text;
            if (*path == '/') {
                if (flags & WALK_BENEATH) {
                    error = -EXDEV;
                    goto failed;
                }
                node_put(here);
                here = node_get(root);
            }
            continue;
        }

        if (!last) {
            assert(next != NULL); /* absent names are told by an error */
            node_put(here);
            here = next;
            path = rest;
            continue;
        }
        if (slash && next && !node_is_directory(next) && !(flags & WALK_PARENT)) {
            error = -ENOTDIR;
            goto failed_next;
        }
        w->node = next;
        w->directory = here;
        w->last = kind;
        w->slash = slash;
        if (kind == LAST_NAME) {
            w->length = length;
            memcpy(w->name, path, length);
            w->name[length] = 0;
        }
        goto finished;
    }
    w->node = here; /* "/" */
    w->directory = node_get(here);
finished:
    kfree(text);
    return 0;

failed_next:
    node_put(next);
failed:
    node_put(here);
out:
    kfree(text);
    return error;
}

ssize_t path_of(struct node *directory, const char *name, size_t length, char *to, size_t size)
{
    size_t at = size;

    if (size < 2)
        return -ENAMETOOLONG;
    to[--at] = 0;
    if (name) {
        if (at < length + 1)
            return -ENAMETOOLONG;
        at -= length;
        memcpy(to + at, name, length);
        to[--at] = '/';
    }
    for (const struct node *n = directory; n != path_root; n = n->parent) {
        if (n->parent == n) /* the real root, above a chroot */
            break;
        if (!n->name || !n->parent)
            return -ENOENT;
        size_t part = strlen(n->name);
        if (at < part + 1)
            return -ENAMETOOLONG;
        at -= part;
        memcpy(to + at, n->name, part);
        to[--at] = '/';
    }
    if (at == size - 1)
        to[--at] = '/';
    memmove(to, to + at, size - at);
    return (ssize_t)(size - at - 1);
}

int path_find(const char *path, bool follow, struct node **node)
{
    struct walk w;
    int error = walk(&w, path_cwd, path, follow ? WALK_FOLLOW : 0);

    if (error)
        return error;
    if (!w.node)
        error = -ENXIO; /* an open file without a node */
    else
        *node = node_get(w.node);
    walk_done(&w);
    return error;
}

int walk_free(const struct walk *w, bool for_directory)
{
    if (w->node || w->file)
        return -EEXIST;
    return w->slash && !for_directory ? -ENOENT : 0;
}

int walk_create(struct walk *w, uint32_t mode, uint32_t rdev)
{
    struct node *d = w->directory;
    bool is_directory = (mode & NODE_TYPE) == NODE_DIRECTORY;
    int error = walk_free(w, is_directory);

    if (!error)
        error = d->ops->create ? d->ops->create(d, w->name, w->length, mode & ~path_umask, rdev, &w->node)
                               : -EPERM;
    if (!error)
        node_event(d, IN_CREATE | (is_directory ? IN_ISDIR : 0), 0, w->name, w->length);
    return error;
}

int path_make(const char *path, uint32_t mode, uint32_t rdev, struct node **node)
{
    struct walk w;
    int error = walk(&w, path_cwd, path, WALK_PARENT);

    if (error)
        return error;
    error = walk_create(&w, mode, rdev);
    if (!error)
        *node = node_get(w.node);
    walk_done(&w);
    return error;
}

ssize_t path_canonical(const char *path, char *to, size_t size)
{
    struct walk w;
    ssize_t n = walk(&w, path_cwd, path, WALK_FOLLOW);

    if (n)
        return n;
    if (w.node && node_is_directory(w.node))
        n = path_of(w.node, NULL, 0, to, size);
    else
        n = w.directory ? path_of(w.directory, w.name, w.length, to, size) : -ENOENT;
    walk_done(&w);
    return n;
}
