/* vfs/epoll.c - epoll(7): a set of watched files and a list of those that may be ready.
 *
 * Each watched file has an item, whose waiters sit in the file's wait queues all the time. A wake-up puts the
 * item on the ready list; epoll_wait asks only the items on that list, so its cost grows with what is ready
 * and not with what is watched. An item that is reported level-triggered goes to the list's end and is asked
 * again next time.
 *
 * Items are found by descriptor in an array: descriptors are small and dense. As in Linux an item belongs to
 * an open file under a descriptor number; it goes when the last descriptor of the file is closed.
 */
#include "polling.h"

#include <linux/fcntl.h>
#include <linux/ioctl.h>

enum { NESTED_MOST = 5, HOLD = 16 };

#define FLAGS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
/* What may be asked for together with EPOLLEXCLUSIVE. */
#define WITH_EXCLUSIVE (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE)

struct epoll {
    struct list ready;          /* items that may be ready */
    struct wait_queue sleepers; /* threads in epoll_wait */
    struct wait_queue watchers; /* whoever polls the epoll file itself */
    struct epoll_item **by_fd;
    unsigned room; /* of by_fd */
    struct file *file;
};

struct epoll_link {
    struct waiter waiter;
    struct epoll_item *item;
    struct epoll_link *next; /* beyond the first two */
};

struct epoll_item {
    struct list ready;   /* in epoll->ready */
    struct list of_file; /* in file->epolls */
    struct epoll *epoll;
    struct file *file; /* no reference: it must go when the last descriptor goes */
    struct epoll_item *same_fd;
    int fd;
    unsigned events;
    uint64_t data;
    unsigned used;
    struct epoll_link links[2];
    struct epoll_link *more;
};

static const struct file_ops epoll_ops;

static bool is_epoll(const struct file *f)
{
    return f->ops == &epoll_ops;
}

/* ---- wake-ups */

static void mark_ready(struct epoll_item *item)
{
    struct epoll *ep = item->epoll;
    if (list_empty(&item->ready)) { /* else whoever sleeps has been woken already */
        list_append(&ep->ready, &item->ready);
        if (!list_empty(&ep->sleepers.waiters))
            wake_one(&ep->sleepers, EPOLLIN);
    }
    if (!list_empty(&ep->watchers.waiters))
        wake_all(&ep->watchers, EPOLLIN | EPOLLRDNORM);
}

static void wake(struct waiter *waiter, unsigned events)
{
    struct epoll_item *item = container_of(waiter, struct epoll_link, waiter)->item;
    unsigned wanted = item->events & ~FLAGS;
    if (wanted && (!events || (events & wanted)))
        mark_ready(item);
}

struct joiner {
    struct poller poller;
    struct epoll_item *item;
    int error;
};

static void join(struct poller *poller, struct wait_queue *queue)
{
    struct joiner *joiner = container_of(poller, struct joiner, poller);
    struct epoll_item *item = joiner->item;
    struct epoll_link *link;

    if (item->used < array_size(item->links)) {
        link = &item->links[item->used++];
    } else {
        link = kmalloc(sizeof(*link));
        if (!link) {
            joiner->error = -ENOMEM;
            return;
        }
        link->next = item->more;
        item->more = link;
    }
    link->item = item;
    link->waiter.events = 0; /* wake() looks at the item's, which may change */
    link->waiter.wake = wake;
    wait_queue_add(queue, &link->waiter);
}

/* ---- the set */

static struct epoll_item **place(struct epoll *ep, int fd, const struct file *f)
{
    struct epoll_item **at;
    if ((unsigned)fd >= ep->room)
        return NULL;
    for (at = &ep->by_fd[fd]; *at && (*at)->file != f; at = &(*at)->same_fd)
        ;
    return at;
}

static int make_place(struct epoll *ep, int fd)
{
    struct epoll_item **grown;
    unsigned room = ep->room ? ep->room : 16;
    if ((unsigned)fd < ep->room)
        return 0;
    while (room <= (unsigned)fd)
        room *= 2;
    grown = krealloc(ep->by_fd, room * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    memset(grown + ep->room, 0, (room - ep->room) * sizeof(*grown));
    ep->by_fd = grown;
    ep->room = room;
    return 0;
}

static void item_remove(struct epoll_item *item)
{
    struct epoll_item **at = place(item->epoll, item->fd, item->file);
    struct epoll_link *next;

    *at = item->same_fd;
    for (unsigned i = 0; i < item->used; i++)
        wait_queue_remove(&item->links[i].waiter);
    for (struct epoll_link *link = item->more; link; link = next) {
        next = link->next;
        wait_queue_remove(&link->waiter);
        kfree(link);
    }
    list_remove(&item->ready);
    list_remove(&item->of_file);
    kfree(item);
}

void epoll_forget(struct file *f)
{
    while (!list_empty(&f->epolls))
        item_remove(list_first(&f->epolls, struct epoll_item, of_file));
}

/* How deep the chain of epolls below this one is; too deep as soon as it meets `top`. */
static unsigned depth(const struct epoll *ep, const struct epoll *top, unsigned level)
{
    unsigned deepest = 0;
    if (ep == top || level >= NESTED_MOST)
        return NESTED_MOST;
    for (unsigned fd = 0; fd < ep->room; fd++)
        for (struct epoll_item *item = ep->by_fd[fd]; item; item = item->same_fd)
            if (is_epoll(item->file))
                deepest = max(deepest, depth(item->file->data, top, level + 1));
    return deepest + 1;
}

static unsigned height(const struct epoll *ep, unsigned level)
{
    unsigned highest = 0;
    if (level >= NESTED_MOST)
        return NESTED_MOST;
    list_for_each (p, &ep->file->epolls)
        highest = max(highest, height(list_entry(p, struct epoll_item, of_file)->epoll, level + 1));
    return highest + 1;
}

static int add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
    struct joiner joiner = {.poller.on = join};
    struct epoll_item *item, **at;
    unsigned found;
    int result;

    if (is_epoll(f) && depth(f->data, ep, 0) + height(ep, 0) > NESTED_MOST)
        return -ELOOP;
    result = make_place(ep, fd);
    if (result < 0)
        return result;
    at = place(ep, fd, f);
    if (*at)
        return -EEXIST;
    item = kmalloc(sizeof(*item));
    if (!item)
        return -ENOMEM;
    list_init(&item->ready);
    item->epoll = ep;
    item->file = f;
    item->same_fd = NULL;
    item->fd = fd;
    item->events = event->events | EPOLLERR | EPOLLHUP;
    item->data = event->data;
    item->used = 0;
    item->more = NULL;
    list_append(&f->epolls, &item->of_file);
    *at = item;
    joiner.item = item;
    found = file_poll(f, &joiner.poller);
    if (joiner.error) {
        item_remove(item);
        return joiner.error;
    }
    if (found & item->events)
        mark_ready(item);
    return 0;
}

static int modify(struct epoll_item *item, const struct epoll_event *event)
{
    if ((item->events | event->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    item->events = event->events | EPOLLERR | EPOLLHUP;
    item->data = event->data;
    if (file_poll(item->file, NULL) & item->events)
        mark_ready(item);
    return 0;
}

static int control(struct epoll *ep, int operation, int fd, struct file *f, const struct epoll_event *event)
{
    struct epoll_item **at = place(ep, fd, f);
    struct epoll_item *item = at ? *at : NULL;

    switch (operation) {
    case EPOLL_CTL_ADD:
        return add(ep, f, fd, event);
    case EPOLL_CTL_MOD:
        return item ? modify(item, event) : -ENOENT;
    case EPOLL_CTL_DEL:
        if (!item)
            return -ENOENT;
        item_remove(item);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- what is ready */

/* Asks the items of the ready list, each once at most. Fills `events`; how many, or -EFAULT. */
static int collect(struct epoll *ep, struct epoll_event __user *events, int room)
{
    struct list asked; /* so that those put back at the end are not asked twice */
    int n = 0;

    if (list_empty(&ep->ready))
        return 0;
    list_init(&asked);
    asked = ep->ready;
    asked.next->prev = asked.prev->next = &asked;
    list_init(&ep->ready);
    while (n < room && !list_empty(&asked)) {
        struct epoll_item *item = list_first(&asked, struct epoll_item, ready);
        unsigned found;
        if (n % HOLD == 0 &&
            user_hold(events + n, (size_t)min(room - n, (int)HOLD) * sizeof(*events), true) < 0) {
            n = n ? n : -EFAULT;
            break;
        }
        list_remove(&item->ready);
        found = file_poll(item->file, NULL) & item->events & ~FLAGS;
        if (!found)
            continue;
        events[n++] = (struct epoll_event){found, item->data};
        if (item->events & EPOLLONESHOT)
            item->events &= FLAGS; /* off until modified */
        else if (!(item->events & EPOLLET) && list_empty(&item->ready))
            list_append(&ep->ready, &item->ready);
    }
    if (!list_empty(&asked)) { /* no room left: these come first the next time */
        asked.prev->next = ep->ready.next;
        ep->ready.next->prev = asked.prev;
        ep->ready.next = asked.next;
        asked.next->prev = &ep->ready;
    }
    return n;
}

static int wait_events(struct epoll *ep, struct epoll_event __user *events, int room, uint64_t deadline)
{
    int result = 0, n;
    for (;;) {
        n = collect(ep, events, room);
        if (n || result == -ETIMEDOUT || deadline == 0)
            break;
        if (result < 0)
            return -EINTR;
        result = wait_on(&ep->sleepers, EPOLLIN, deadline);
    }
    /* More than this thread takes: the next one that waits. */
    if (!list_empty(&ep->ready) && !list_empty(&ep->sleepers.waiters))
        wake_one(&ep->sleepers, EPOLLIN);
    return n;
}

static unsigned epoll_poll(struct file *f, struct poller *poller)
{
    struct epoll *ep = f->data;
    poll_on(poller, &ep->watchers);
    while (!list_empty(&ep->ready)) {
        struct epoll_item *item = list_first(&ep->ready, struct epoll_item, ready);
        if (file_poll(item->file, NULL) & item->events & ~FLAGS)
            return EPOLLIN | EPOLLRDNORM;
        list_remove(&item->ready);
    }
    return 0;
}

static void epoll_release(struct file *f)
{
    struct epoll *ep = f->data;
    for (unsigned fd = 0; fd < ep->room; fd++)
        while (ep->by_fd[fd])
            item_remove(ep->by_fd[fd]);
    kfree(ep->by_fd);
    kfree(ep);
}

static const struct file_ops epoll_ops = {
    .poll = epoll_poll,
    .release = epoll_release,
    .kind = "anon_inode:[eventpoll]",
};

/* ---- calls */

static long create(bool cloexec)
{
    struct epoll *ep = kzalloc(sizeof(*ep));
    struct file *f = ep ? file_new(&epoll_ops, O_RDWR, ep) : NULL;
    if (!f) {
        kfree(ep);
        return -ENOMEM;
    }
    list_init(&ep->ready);
    wait_queue_init(&ep->sleepers);
    wait_queue_init(&ep->watchers);
    ep->file = f;
    return fd_install(f, 0, cloexec);
}

SYSCALL(epoll_create, int size)
{
    return size <= 0 ? -EINVAL : create(false);
}

SYSCALL(epoll_create1, int flags)
{
    return flags & ~EPOLL_CLOEXEC ? -EINVAL : create(flags & EPOLL_CLOEXEC);
}

static int check(const struct file *ep, const struct file *f, int operation, const struct epoll_event *event)
{
    if (!f->ops->poll)
        return -EPERM; /* regular files are always ready */
    if (!is_epoll(ep) || f == ep)
        return -EINVAL;
    if (operation != EPOLL_CTL_DEL && (event->events & EPOLLEXCLUSIVE) &&
        (operation == EPOLL_CTL_MOD || is_epoll(f) || (event->events & ~WITH_EXCLUSIVE)))
        return -EINVAL;
    return 0;
}

SYSCALL(epoll_ctl, int epfd, int operation, int fd, struct epoll_event __user *user_event)
{
    struct epoll_event event = {0, 0};
    struct file *ep, *f;
    int result = -EBADF;

    if (operation != EPOLL_CTL_DEL && copy_in(&event, user_event, sizeof(event)) < 0)
        return -EFAULT;
    ep = fd_get(epfd);
    f = fd_get(fd);
    if (ep && f) {
        result = check(ep, f, operation, &event);
        if (result == 0)
            result = control(ep->data, operation, fd, f, &event);
    }
    if (f)
        file_put(f);
    if (ep)
        file_put(ep);
    return result;
}

static long wait_call(int epfd, struct epoll_event __user *events, int room, uint64_t deadline)
{
    struct file *f;
    long result = -EINVAL;

    if (room <= 0 || (size_t)room > INT32_MAX / sizeof(*events))
        return -EINVAL;
    f = fd_get(epfd);
    if (!f)
        return -EBADF;
    if (is_epoll(f))
        result = wait_events(f->data, events, room, deadline);
    file_put(f);
    return result;
}

/* 0 means "do not wait", and costs no look at the clock. */
static uint64_t deadline_of(int milliseconds)
{
    if (milliseconds <= 0)
        return milliseconds ? NEVER : 0;
    return deadline_after((uint64_t)milliseconds * 1000000);
}

SYSCALL(epoll_wait, int epfd, struct epoll_event __user *events, int room, int timeout)
{
    return wait_call(epfd, events, room, deadline_of(timeout));
}

static long masked_wait(int epfd, struct epoll_event __user *events, int room, uint64_t deadline,
                        const uint64_t __user *mask, size_t mask_size)
{
    long result = mask_enter(mask, mask_size);
    if (result < 0)
        return result;
    result = wait_call(epfd, events, room, deadline);
    mask_leave(mask, result == -EINTR);
    return result;
}

SYSCALL(epoll_pwait, int epfd, struct epoll_event __user *events, int room, int timeout,
        const uint64_t __user *mask, size_t mask_size)
{
    return masked_wait(epfd, events, room, deadline_of(timeout), mask, mask_size);
}

SYSCALL(epoll_pwait2, int epfd, struct epoll_event __user *events, int room,
        const struct __kernel_timespec __user *timeout, const uint64_t __user *mask, size_t mask_size)
{
    uint64_t deadline;
    int error = deadline_in(timeout, &deadline);
    return error ? error : masked_wait(epfd, events, room, deadline, mask, mask_size);
}
