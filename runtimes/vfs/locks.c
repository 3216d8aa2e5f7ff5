/* locks.c - flock(2), and fcntl(2)'s record locks: F_SETLK and the F_OFD_ kind.
 *
 * Three kinds of owner: flock() and F_OFD_* locks belong to the open file, F_SETLK locks to the process, and
 * there is one process: those of its threads never conflict, only with F_OFD_* ones. So no two waits can form
 * a circle that Linux would see (it looks at F_SETLKW alone), and EDEADLK cannot happen. flock() and fcntl()
 * locks do not know of each other. */
#include <asm/fcntl.h>
#include <linux/fcntl.h>

#include "memory.h"
#include "node.h"
#include "process.h"
#include "readwrite.h"

enum kind { KIND_FLOCK, KIND_PROCESS, KIND_FILE };

struct lock {
    struct list link; /* in node->locks */
    enum kind kind;
    int type;            /* F_RDLCK, F_WRLCK */
    struct file *file;   /* owner; NULL: the process */
    uint64_t start, end; /* both included */
};

/* Wakes all who wait for any lock: they look again. */
static struct wait_queue changed = {LIST_INIT(changed.waiters)};

static bool conflicts(const struct lock *held, const struct lock *wanted)
{
    return (held->kind == KIND_FLOCK) == (wanted->kind == KIND_FLOCK) && held->file != wanted->file &&
           held->start <= wanted->end && wanted->start <= held->end &&
           (held->type == F_WRLCK || wanted->type == F_WRLCK);
}

static const struct lock *find_conflict(const struct node *n, const struct lock *wanted)
{
    list_for_each (p, &n->locks) {
        const struct lock *held = list_entry(p, struct lock, link);
        if (conflicts(held, wanted))
            return held;
    }
    return NULL;
}

static void drop(struct lock *l)
{
    list_remove(&l->link);
    kfree(l);
}

/* The owner's locks in the range become `wanted`, or none (F_UNLCK). 0 or -ENOLCK, and then nothing changed.
 */
static int set(struct node *n, const struct lock *wanted)
{
    /* At most two are new: the lock, and the second half of one that is cut in two. */
    struct lock *fresh = kmalloc(sizeof(*fresh)), *half = kmalloc(sizeof(*half));

    if (!fresh || !half) {
        kfree(fresh);
        kfree(half);
        return -ENOLCK;
    }
    *fresh = *wanted;
    list_for_each_safe (p, &n->locks) {
        struct lock *l = list_entry(p, struct lock, link);
        if (l->kind != wanted->kind || l->file != wanted->file)
            continue;
        /* Neighbours of the same type become one. */
        bool joins = l->type == wanted->type &&
                     l->start <= (fresh->end == UINT64_MAX ? fresh->end : fresh->end + 1) &&
                     fresh->start <= (l->end == UINT64_MAX ? l->end : l->end + 1);
        if (joins) {
            fresh->start = min(fresh->start, l->start);
            fresh->end = max(fresh->end, l->end);
            drop(l);
        } else if (l->end >= wanted->start && l->start <= wanted->end) {
            if (l->start < wanted->start && l->end > wanted->end) {
                *half = *l;
                half->start = wanted->end + 1;
                l->end = wanted->start - 1;
                list_append(&n->locks, &half->link);
                half = NULL;
                break; /* nobody else's lies inside */
            }
            if (l->start < wanted->start)
                l->end = wanted->start - 1;
            else if (l->end > wanted->end)
                l->start = wanted->end + 1;
            else
                drop(l);
        }
    }
    if (wanted->type == F_UNLCK)
        kfree(fresh);
    else
        list_append(&n->locks, &fresh->link);
    kfree(half);
    wake_all(&changed, 0); /* also when a lock got weaker */
    return 0;
}

static void forget(struct node *n, const struct file *f, bool process)
{
    bool any = false;

    list_for_each_safe (p, &n->locks) {
        struct lock *l = list_entry(p, struct lock, link);
        if (process ? l->kind == KIND_PROCESS : l->file == f) {
            drop(l);
            any = true;
        }
    }
    if (any)
        wake_all(&changed, 0);
}

static long acquire(struct node *n, const struct lock *wanted, bool wait)
{
    while (wanted->type != F_UNLCK && find_conflict(n, wanted)) {
        /* flock(2): a lock that is to change its type is given up first, so two of them cannot wait for each
         * other. */
        if (wanted->kind == KIND_FLOCK)
            forget(n, wanted->file, false);
        if (!wait)
            return -EAGAIN;
        int error = wait_on(&changed, 0, NEVER);
        if (error)
            return error;
    }
    return set(n, wanted);
}

/* start and end of a struct flock; 0, -EINVAL or -EOVERFLOW. */
static int range(const struct file *f, const struct flock *user, struct lock *l)
{
    int64_t start = user->l_start, end;

    switch (user->l_whence) {
    case 0:
        break;
    case 1:
        start += (int64_t)f->pos;
        break;
    case 2:
        if (__builtin_add_overflow(start, (int64_t)f->node->size, &start))
            return -EOVERFLOW;
        break;
    default:
        return -EINVAL;
    }
    if (user->l_len < 0) { /* the bytes before */
        end = start - 1;
        start += user->l_len;
    } else if (user->l_len == 0) {
        end = INT64_MAX;
    } else if (__builtin_add_overflow(start, user->l_len - 1, &end)) {
        return -EOVERFLOW;
    }
    if (start < 0 || end < 0)
        return -EINVAL;
    l->start = (uint64_t)start;
    l->end = user->l_len == 0 ? UINT64_MAX : (uint64_t)end;
    return 0;
}

long locks_fcntl(struct file *f, int command, void __user *argument);
long locks_fcntl(struct file *f, int command, void __user *argument)
{
    struct flock user;
    bool of_file = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    struct lock l = {.kind = of_file ? KIND_FILE : KIND_PROCESS, .file = of_file ? f : NULL};

    if (copy_in(&user, argument, sizeof(user)))
        return -EFAULT;
    if (!f->node || (of_file && user.l_pid))
        return -EINVAL;
    if (user.l_type != F_RDLCK && user.l_type != F_WRLCK && user.l_type != F_UNLCK)
        return -EINVAL;
    l.type = user.l_type;
    int error = range(f, &user, &l);
    if (error)
        return error;
    if (command == F_GETLK || command == F_OFD_GETLK) {
        if (l.type == F_UNLCK)
            return -EINVAL;
        const struct lock *held = find_conflict(f->node, &l);
        user.l_type = F_UNLCK;
        if (held) {
            user.l_type = (short)held->type;
            user.l_whence = 0;
            user.l_start = (int64_t)held->start;
            user.l_len = held->end == UINT64_MAX ? 0 : (int64_t)(held->end - held->start + 1);
            user.l_pid = held->file ? -1 : process_id;
        }
        return copy_out(argument, &user, sizeof(user));
    }
    if ((l.type == F_RDLCK && !file_readable(f)) || (l.type == F_WRLCK && !file_writable(f)))
        return -EBADF;
    struct node *n = node_get(f->node);
    long result = acquire(n, &l, command == F_SETLKW || command == F_OFD_SETLKW);
    node_put(n);
    return result;
}

SYSCALL(flock, int fd, int operation)
{
    struct lock l = {.kind = KIND_FLOCK, .end = UINT64_MAX};

    switch (operation & ~LOCK_NB) {
    case LOCK_SH:
        l.type = F_RDLCK;
        break;
    case LOCK_EX:
        l.type = F_WRLCK;
        break;
    case LOCK_UN:
        l.type = F_UNLCK;
        break;
    default:
        return -EINVAL;
    }
    struct file *f = fd_get(fd);
    long result = -EBADF;
    if (!f)
        return result;
    if (!(f->flags & O_PATH)) {
        l.file = f;
        /* Without a node nobody else can have the file open. */
        result = f->node ? acquire(f->node, &l, !(operation & LOCK_NB)) : 0;
    }
    file_put(f);
    return result;
}

/* The open file is gone, and with it what it owned. */
void locks_forget(struct file *f)
{
    if (!list_empty(&f->node->locks))
        forget(f->node, f, false);
}

/* Closing any descriptor of a file drops the process's locks on it, whichever descriptor they were made
 * through. */
void locks_closed(struct node *n);
void locks_closed(struct node *n)
{
    forget(n, NULL, true);
}
