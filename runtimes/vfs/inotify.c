/* inotify.c - inotify(7): inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2).
 *
 * A watch hangs on a node; the calls that do something to a node tell it (node_event()), and open files tell
 * the directory that they were opened in too. Without a watch anywhere that costs a comparison. */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "descriptors.h"
#include "memory.h"
#include "path.h"

#define EVENTS_MOST 16384U /* as Linux's fs.inotify.max_queued_events */
#define FIONREAD    0x541b

struct inotify {
    struct list watches; /* struct watch, by descriptor */
    struct list events;  /* struct event, oldest first */
    struct wait_queue readers;
    size_t bytes; /* as they would be read */
    unsigned count;
    int next;
};

struct watch {
    struct list of_node, of_instance;
    struct inotify *instance;
    struct node *node;
    int descriptor;
    uint32_t mask;
};

struct event {
    struct list link;
    struct inotify_event shown; /* its name follows, `len` bytes with padding */
};

static unsigned watch_count;

static void queue(struct inotify *i, int descriptor, uint32_t mask, uint32_t cookie, const char *name,
                  size_t length)
{
    size_t padded = length ? align_up(length + 1, sizeof(struct inotify_event)) : 0;

    if (i->count >= EVENTS_MOST) {
        if (i->count > EVENTS_MOST)
            return;
        descriptor = -1;
        mask = IN_Q_OVERFLOW;
        cookie = 0;
        padded = length = 0;
    }
    if (!list_empty(&i->events)) { /* the same again is not told twice */
        const struct event *last = list_entry(i->events.prev, struct event, link);
        if (last->shown.wd == descriptor && last->shown.mask == mask && last->shown.cookie == cookie &&
            last->shown.len == padded && memcmp(last->shown.name, name ? name : "", length) == 0 &&
            (!padded || last->shown.name[length] == 0))
            return;
    }
    struct event *e = kzalloc(sizeof(*e) + padded);
    if (!e)
        return;
    e->shown =
        (struct inotify_event){.wd = descriptor, .mask = mask, .cookie = cookie, .len = (uint32_t)padded};
    if (length)
        memcpy(e->shown.name, name, length);
    list_append(&i->events, &e->link);
    i->count++;
    i->bytes += sizeof(struct inotify_event) + padded;
    wake_all(&i->readers, EPOLLIN | EPOLLRDNORM);
}

static void drop(struct watch *w)
{
    queue(w->instance, w->descriptor, IN_IGNORED, 0, NULL, 0);
    list_remove(&w->of_node);
    list_remove(&w->of_instance);
    watch_count--;
    node_put(w->node);
    kfree(w);
}

void watch_notify(struct node *n, unsigned event, unsigned cookie, const char *name, size_t length)
{
    node_get(n); /* the last watch may hold the last reference */
    list_for_each_safe (p, &n->watches) {
        struct watch *w = list_entry(p, struct watch, of_node);
        bool gone = event & (IN_DELETE_SELF | IN_UNMOUNT);
        if (w->mask & event & IN_ALL_EVENTS)
            queue(w->instance, w->descriptor, event, cookie, name, length);
        if (gone || (w->mask & IN_ONESHOT && w->mask & event & IN_ALL_EVENTS))
            drop(w);
    }
    node_put(n);
}

void watch_notify_file(struct file *f, unsigned event)
{
    if (likely(watch_count == 0) || f->flags & O_PATH)
        return;
    if (node_is_directory(f->node))
        event |= IN_ISDIR;
    node_event(f->node, event, 0, NULL, 0);
    const char *name = f->path ? strrchr(f->path, '/') : NULL;
    if (!name || !name[1])
        return;
    /* The directory that it was opened in, if it still has that name. */
    static char parent[PATH_LONGEST];
    struct node *directory;
    size_t length = (size_t)(name - f->path);
    memcpy(parent, f->path, length);
    parent[length] = 0;
    if (path_find(length ? parent : "/", true, &directory))
        return;
    node_event(directory, event, 0, name + 1, strlen(name + 1));
    node_put(directory);
}

static ssize_t inotify_read(struct file *f, struct io *io, uint64_t *pos)
{
    struct inotify *i = f->data;
    ssize_t total = 0;

    (void)pos;
    if (list_empty(&i->events)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = wait_for(&i->readers, EPOLLIN, NEVER, !list_empty(&i->events));
        if (error)
            return error;
    }
    while (!list_empty(&i->events)) {
        struct event *e = list_first(&i->events, struct event, link);
        size_t size = sizeof(e->shown) + e->shown.len;
        if (io->left < size)
            return total ? total : -EINVAL;
        ssize_t moved = io_put(io, &e->shown, size);
        if (moved < (ssize_t)size)
            return total ? total : -EFAULT;
        total += moved;
        list_remove(&e->link);
        i->count--;
        i->bytes -= size;
        kfree(e);
    }
    return total;
}

static unsigned inotify_poll(struct file *f, struct poller *poller)
{
    struct inotify *i = f->data;

    poll_on(poller, &i->readers);
    return list_empty(&i->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static long inotify_ioctl(struct file *f, unsigned request, uintptr_t argument)
{
    const struct inotify *i = f->data;
    return request == FIONREAD ? put_user((int *)argument, (int)i->bytes) : -ENOTTY;
}

static void inotify_release(struct file *f)
{
    struct inotify *i = f->data;

    list_for_each_safe (p, &i->watches)
        drop(list_entry(p, struct watch, of_instance));
    list_for_each_safe (p, &i->events)
        kfree(list_entry(p, struct event, link));
    kfree(i);
}

static const struct file_ops inotify_ops = {
    .read = inotify_read,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .release = inotify_release,
    .kind = "inotify",
};

static long create(int flags)
{
    if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
        return -EINVAL;
    struct inotify *i = kzalloc(sizeof(*i));
    struct file *f = i ? file_new(&inotify_ops, flags & O_NONBLOCK, i) : NULL;
    if (!f) {
        kfree(i);
        return -ENOMEM;
    }
    list_init(&i->watches);
    list_init(&i->events);
    wait_queue_init(&i->readers);
    i->next = 1;
    f->inode = node_number();
    return fd_install(f, 0, flags & IN_CLOEXEC);
}

SYSCALL(inotify_init, void)
{
    return create(0);
}

SYSCALL(inotify_init1, int flags)
{
    return create(flags);
}

static struct inotify *instance_of(int fd, long *error)
{
    const struct file *f = fd_peek(fd);

    *error = !f ? -EBADF : f->ops != &inotify_ops ? -EINVAL : 0;
    return *error ? NULL : f->data;
}

static long add(struct inotify *i, struct node *n, uint32_t mask)
{
    list_for_each (p, &n->watches) {
        struct watch *w = list_entry(p, struct watch, of_node);
        if (w->instance != i)
            continue;
        if (mask & IN_MASK_CREATE)
            return -EEXIST;
        w->mask = mask & IN_MASK_ADD ? w->mask | mask : mask;
        return w->descriptor;
    }
    struct watch *w = kzalloc(sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->instance = i;
    w->node = node_get(n);
    w->descriptor = i->next++;
    w->mask = mask;
    list_append(&n->watches, &w->of_node);
    list_append(&i->watches, &w->of_instance);
    watch_count++;
    return w->descriptor;
}

SYSCALL(inotify_add_watch, int fd, const char __user *path, uint32_t mask)
{
    struct walk w;
    long error;
    struct inotify *i = instance_of(fd, &error);

    if (error)
        return error;
    if (!(mask & IN_ALL_EVENTS) || (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
        return -EINVAL;
    error = walk_at_node(&w, AT_FDCWD, path, mask & IN_DONT_FOLLOW ? 0 : WALK_FOLLOW);
    if (error)
        return error;
    long result = mask & IN_ONLYDIR && !node_is_directory(w.node) ? -ENOTDIR : add(i, w.node, mask);
    walk_done(&w);
    return result;
}

SYSCALL(inotify_rm_watch, int fd, int descriptor)
{
    long error;
    struct inotify *i = instance_of(fd, &error);

    if (error)
        return error;
    list_for_each_safe (p, &i->watches) {
        struct watch *w = list_entry(p, struct watch, of_instance);
        if (w->descriptor == descriptor) {
            drop(w);
            return 0;
        }
    }
    return -EINVAL;
}

/* fs.inotify.*, which watchers show when they run out. */
static void show_watches(struct text_sink *sink)
{
    text_put(sink, "65536\n");
}
static void show_instances(struct text_sink *sink)
{
    text_put(sink, "128\n");
}
static void show_events(struct text_sink *sink)
{
    text_put(sink, "%u\n", EVENTS_MOST);
}

TEXT_FILE(inotify_watches) = {"/proc/sys/fs/inotify/max_user_watches", show_watches};
TEXT_FILE(inotify_instances) = {"/proc/sys/fs/inotify/max_user_instances", show_instances};
TEXT_FILE(inotify_events) = {"/proc/sys/fs/inotify/max_queued_events", show_events};
