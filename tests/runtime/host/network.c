/* A whole machine's network on the host: the stack with one card whose frames a test carries by hand, and
 * enough of descriptors to call the socket calls as a program would. */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "kernel.h"
#include "memory.h"
#include "network.h"
#include "socket.h"
#include "thread.h"

#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"

/* ---- files and descriptors */
#define FILES 20000
static struct file *files[FILES];

struct file *file_new(const struct file_ops *ops, int flags, void *data)
{
    static uint64_t inode = 1;
    struct file *f = calloc(1, sizeof(*f));
    f->ops = ops, f->flags = flags, f->data = data, f->users = 1, f->inode = inode++;
    list_init(&f->epolls);
    return f;
}
void file_put(struct file *f)
{
    if (--f->users)
        return;
    if (f->ops->release)
        f->ops->release(f);
    free(f);
}
struct file *fd_get(int fd)
{
    return fd >= 0 && fd < FILES && files[fd] ? file_get(files[fd]) : NULL;
}
int fd_install(struct file *f, int from, bool cloexec)
{
    (void)cloexec;
    for (int i = from; i < FILES; i++)
        if (!files[i])
            return files[i] = f, i;
    file_put(f);
    return -EMFILE;
}
int fd_close(int fd)
{
    if (fd < 0 || fd >= FILES || !files[fd])
        return -EBADF;
    struct file *f = files[fd];
    files[fd] = NULL;
    file_put(f);
    return 0;
}
unsigned host_poll(int fd)
{
    return file_poll(files[fd], NULL);
}
long host_ioctl(int fd, unsigned request, void *argument)
{
    return files[fd]->ops->ioctl(files[fd], request, (uintptr_t)argument);
}

/* ---- wake-ups, counted as an epoll instance would see them */
struct host_watch {
    struct waiter waiter;
    unsigned count, events;
};
static struct host_watch *watches[FILES];
static struct wait_queue *found;
static void find(struct poller *p, struct wait_queue *q)
{
    (void)p;
    found = q;
}
static void woken(struct waiter *w, unsigned events)
{
    struct host_watch *watch = container_of(w, struct host_watch, waiter);
    watch->count++;
    watch->events |= events;
}
void host_watch(int fd, unsigned events)
{
    struct poller p = {.on = find};
    struct host_watch *w = calloc(1, sizeof(*w));
    file_poll(files[fd], &p);
    w->waiter.events = events;
    w->waiter.wake = woken;
    wait_queue_add(found, &w->waiter);
    watches[fd] = w;
}
unsigned host_woken(int fd)
{
    unsigned n = watches[fd]->count;
    watches[fd]->count = 0;
    return n;
}
void host_unwatch(int fd)
{
    wait_queue_remove(&watches[fd]->waiter);
    free(watches[fd]);
    watches[fd] = NULL;
}

/* ---- files of the kernel: remembered */
static char written[4][512];
static const char *names[2] = {"/etc/hosts", "/etc/hostname"};
int kernel_write_file(const char *path, const char *data, size_t length)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(names[i], path) == 0)
            snprintf(written[i], sizeof(written[i]), "%.*s", (int)length, data);
    return 0;
}
int kernel_read_file(const char *path, char **data, size_t *length)
{
    (void)path, (void)data, (void)length;
    return -ENOENT;
}
static struct late_file *late;
void late_file_add(struct late_file *f, const char *path)
{
    (void)path;
    late = f;
}
const char *host_written(int i)
{
    if (late && late->stale)
        late->write();
    return written[i];
}

/* ---- texts of /proc */
static char text[65536];
static size_t text_length;
void text_put(struct text_sink *sink, const char *format, ...)
{
    va_list args;
    (void)sink;
    va_start(args, format);
    text_length += (size_t)vsnprintf(text + text_length, sizeof(text) - text_length, format, args);
    va_end(args);
}
const char *host_text(const char *path)
{
    text_length = 0;
    text[0] = 0;
    for_each_record(unikit_text_files, r) if (strcmp(r->path, path) == 0) r->show(NULL);
    return text;
}

/* ---- the card */
struct frame {
    struct frame *next;
    uint16_t length;
    uint8_t bytes[];
};
static struct frame *first, **last = &first;
static unsigned queued, limit = ~0u;
unsigned host_sent, host_flushes;

static int card_send(struct network_device *d, struct pbuf *p)
{
    (void)d;
    if (queued >= limit)
        return -ENOBUFS;
    struct frame *f = malloc(sizeof(*f) + p->tot_len);
    f->next = NULL;
    f->length = p->tot_len;
    pbuf_copy_partial(p, f->bytes, p->tot_len, 0);
    *last = f;
    last = &f->next;
    queued++;
    host_sent++;
    return 0;
}
static void card_flush(struct network_device *d)
{
    (void)d;
    host_flushes++;
}
static void card_poll(struct network_device *d)
{
    (void)d;
}
static struct network_device card = {.mtu = 1500, .send = card_send, .flush = card_flush, .poll = card_poll};
static const char *address;

const char *config_get(const char *key)
{
    return strcmp(key, "ip") == 0 ? address : NULL;
}

void host_start(int number, const char *ip, unsigned mtu)
{
    card.mac[0] = 2;
    card.mac[5] = (uint8_t)number;
    card.mtu = (uint16_t)mtu;
    address = ip;
    if (mtu)
        assert(network_device_add(&card) == 0);
    for_each_record(unikit_init_network, f) (*f)();
    for_each_record(unikit_start_network, f) (*f)();
    for_each_record(unikit_init_services, f) (*f)();
    for_each_record(unikit_start_services, f) (*f)();
}
void host_send_limit(unsigned n)
{
    limit = n;
}
/* The next frame that the stack sent; 0: none. */
int host_take(uint8_t *to)
{
    struct frame *f = first;
    if (!f)
        return 0;
    int n = f->length;
    memcpy(to, f->bytes, (size_t)n);
    first = f->next;
    if (!first)
        last = &first;
    queued--;
    free(f);
    return n;
}
/* A frame for the stack, in one buffer or in pieces as the device's small buffers would hold it. */
void host_give(const uint8_t *from, unsigned n, unsigned piece)
{
    struct pbuf *p = NULL;
    for (unsigned at = 0; at < n; at += piece) {
        unsigned part = min(piece, n - at);
        struct pbuf *q = pbuf_alloc(PBUF_RAW, (u16_t)part, PBUF_RAM);
        memcpy(q->payload, from + at, part);
        if (p)
            pbuf_cat(p, q);
        else
            p = q;
    }
    network_input(&card, p, false);
}
void host_settle(void)
{
    network_flush();
}

/* ---- what lwIP holds */
static unsigned count(const struct tcp_pcb *p)
{
    unsigned n = 0;
    for (; p; p = p->next)
        n++;
    return n;
}
unsigned host_pcbs(int which)
{
    return count(*tcp_pcb_lists[which]);
}
