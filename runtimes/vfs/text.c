/* text.c - files and links of /proc and /sys, whose contents are made at the moment they are read.
 *
 * A text is made when a file is read at its beginning and stays while it is read on, so that a reader sees
 * one state; seeking back to the start makes it anew, as on Linux. */
#include "memory.h"
#include "text.h"

struct text_node {
    struct node node;
    text_show show;
    text_target target;
    text_follow follow;
    intptr_t argument;
};

static struct text_node *text_of(struct node *n)
{
    return container_of(n, struct text_node, node);
}

/* ---- what is shown */

static bool make_room(struct text_sink *sink, size_t more)
{
    size_t room = sink->room ? sink->room : 512;

    while (room <= sink->length + more)
        room *= 2;
    if (room == sink->room)
        return true;
    char *data = krealloc(sink->data, room);
    if (!data)
        return false; /* the text is cut off */
    sink->data = data;
    sink->room = room;
    return true;
}

void text_put(struct text_sink *sink, const char *format, ...)
{
    va_list args;

    for (size_t more = 128;;) {
        if (!make_room(sink, more))
            return;
        va_start(args, format);
        int n = vsnprintf(sink->data + sink->length, sink->room - sink->length, format, args);
        va_end(args);
        if (n < 0)
            return;
        if (sink->length + (size_t)n < sink->room) {
            sink->length += (size_t)n;
            return;
        }
        more = (size_t)n;
    }
}

void text_add(struct text_sink *sink, const char *bytes, size_t n)
{
    if (!make_room(sink, n))
        return;
    memcpy(sink->data + sink->length, bytes, n);
    sink->length += n;
}

void text_put_user(struct text_sink *sink, uintptr_t start, uintptr_t end)
{
    if (end <= start || !make_room(sink, end - start))
        return;
    if (copy_in(sink->data + sink->length, (const void *)start, end - start) == 0)
        sink->length += end - start;
}

/* ---- open files */

static ssize_t text_read(struct file *file, struct io *io, uint64_t *pos)
{
    struct text_sink *sink = file->data;
    const struct text_node *t = text_of(file->node);

    if (*pos == 0) {
        sink->length = 0;
        t->show(sink, t->argument);
    }
    if (*pos >= sink->length)
        return 0;
    ssize_t n = io_put(io, sink->data + *pos, sink->length - *pos);
    if (n > 0)
        *pos += (uint64_t)n;
    return n;
}

static void text_close(struct file *file)
{
    struct text_sink *sink = file->data;

    kfree(sink->data);
    kfree(sink);
}

static const struct file_ops text_file_ops = {
    .read = text_read,
    .seek = file_seek_plain,
    .release = text_close,
    .kind = "text",
};

static int text_open(struct node *n, struct file *file)
{
    (void)n;
    file->data = kzalloc(sizeof(struct text_sink));
    if (!file->data)
        return -ENOMEM;
    file->ops = &text_file_ops;
    return 0;
}

static void text_release(struct node *n)
{
    kfree(text_of(n));
}

static const struct node_ops text_ops = {.open = text_open, .release = text_release};

struct node *text_node_new(text_show show, intptr_t argument, uint32_t mode)
{
    struct text_node *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    node_init(&t->node, &text_ops, NODE_REGULAR | mode);
    t->show = show;
    t->argument = argument;
    return &t->node;
}

/* ---- links */

static ssize_t link_readlink(struct node *n, char *to, size_t size)
{
    const struct text_node *t = text_of(n);
    return t->target(t->argument, to, size);
}

static int link_follow(struct node *n, struct node **node, struct file **file)
{
    const struct text_node *t = text_of(n);
    return t->follow(t->argument, node, file);
}

static const struct node_ops link_ops = {.readlink = link_readlink, .release = text_release};
static const struct node_ops magic_ops = {
    .readlink = link_readlink, .follow = link_follow, .release = text_release};

struct node *text_link_new(text_target target, text_follow follow, intptr_t argument, uint32_t mode)
{
    struct text_node *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    node_init(&t->node, follow ? &magic_ops : &link_ops, NODE_LINK | mode);
    t->target = target;
    t->follow = follow;
    t->argument = argument;
    return &t->node;
}
