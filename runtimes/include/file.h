/* file.h - open files, descriptors, input and output, polling, sockets. */
#ifndef UNIKIT_FILE_H
#define UNIKIT_FILE_H

#include "kernel.h"
#include "thread.h"

struct iovec; /* struct iovec { void *iov_base; size_t iov_len; } of Linux */
struct node;
struct file;
struct poller;
struct stat;

/* ---- io: a cursor over user or kernel buffers (vfs/io.c) */
struct io_vector {
    void *base;
    size_t length;
};
struct io {
    struct io_vector *vectors;
    size_t count, at; /* vectors; offset in the first */
    size_t left;      /* bytes */
    bool kernel;      /* buffers are the kernel's own */
    struct io_vector one;
    struct io_vector few[8];
};
void io_init(struct io *, void *base, size_t length, bool kernel);
/* From a user iovec array: -EFAULT, -EINVAL (IOV_MAX, overflow). io_done() frees. */
int io_init_vectors(struct io *, const void __user *iov, size_t count);
void io_done(struct io *);
/* Moves up to n bytes and advances; the count moved, or -EFAULT if none could be. */
ssize_t io_put(struct io *, const void *from, size_t n); /* into the buffers (read) */
ssize_t io_take(struct io *, void *to, size_t n);        /* from the buffers (write) */
ssize_t io_put_zero(struct io *, size_t n);

/* ---- files */
struct file_ops {
    /* For streams pos is NULL; else read/write at *pos and advance it. Bytes moved (0: end) or -errno.
     * O_NONBLOCK is in file->flags. */
    ssize_t (*read)(struct file *, struct io *, uint64_t *pos);
    ssize_t (*write)(struct file *, struct io *, uint64_t *pos);
    int64_t (*seek)(struct file *, int64_t offset, int whence);
    long (*ioctl)(struct file *, unsigned request, uintptr_t argument);
    /* Events ready now (EPOLL* bits). If poller is not NULL, first poll_on() each queue whose wake-ups
     * matter. NULL here: always ready for in and out, as regular files are. */
    unsigned (*poll)(struct file *, struct poller *);
    /* The page that holds a file's page `index`, for mappings: an in-place or page-cache page, page_get()
     * done. `write`: a shared writable mapping wants it. -ENXIO beyond the end. NULL here: cannot be mapped
     * (ENODEV). */
    int (*page)(struct file *, uint64_t index, bool write, void **page);
    int (*getdents)(struct file *, struct io *);
    int (*stat)(struct file *, struct stat *); /* NULL: from file->node */
    int (*sync)(struct file *);
    void (*release)(struct file *); /* the last reference is gone */
    const struct socket_ops *socket;
    const char *kind; /* "socket", "pipe": for /proc/self/fd and messages */
};

struct file {
    const struct file_ops *ops;
    unsigned users;
    int flags; /* O_ACCMODE, O_APPEND, O_NONBLOCK ... */
    uint64_t pos;
    struct node *node;  /* NULL: pipe, socket, eventfd ... (no name) */
    char *path;         /* as opened, absolute; NULL: none */
    void *data;         /* the ops' own */
    struct list epolls; /* epoll items that watch it (vfs/epoll.c) */
    uint64_t inode;     /* number for stat of nameless files */
};

/* A file with one reference; NULL: no memory. */
struct file *file_new(const struct file_ops *, int flags, void *data);
static inline struct file *file_get(struct file *f)
{
    f->users++;
    return f;
}
void file_put(struct file *);
/* For `seek`: the position alone, SEEK_SET and SEEK_CUR; and the end of every other: `offset` from `base`. */
int64_t file_seek_plain(struct file *, int64_t offset, int whence);
int64_t file_seek_from(struct file *, int64_t base, int64_t offset);

/* ---- descriptors (vfs/descriptors.c) */
/* The file behind fd with a reference taken, or NULL (EBADF). */
struct file *fd_get(int fd);
/* The lowest free descriptor >= from now refers to file (takes over the caller's reference); fd or -EMFILE
 * (reference dropped). */
int fd_install(struct file *, int from, bool cloexec);
int fd_close(int fd);
/* Descriptors for both, stored at `user`: 0, or -errno, and both references are dropped (vfs/pair.c). */
int fd_install_pair(struct file *const pair[2], bool cloexec, int __user *user);

/* ---- polling (vfs/poll.c) */
struct poller {
    /* Called by a file's poll for each of its queues; registers a waiter. */
    void (*on)(struct poller *, struct wait_queue *);
};
static inline void poll_on(struct poller *p, struct wait_queue *q)
{
    if (p)
        p->on(p, q);
}
static inline unsigned file_poll(struct file *f, struct poller *p)
{
    return f->ops->poll ? f->ops->poll(f, p) : 0x145u; /* EPOLLIN, OUT, RDNORM, WRNORM */
}
/* Closing: epoll instances forget the file (weak no-op default where there is no epoll). */
void epoll_forget(struct file *);
/* fcntl(2) with F_SETPIPE_SZ or F_GETPIPE_SZ; -EBADF: not a pipe. (vfs/pipe.c, if pipes are linked) */
long pipe_control(struct file *, unsigned command, unsigned long argument) WEAK;

/* ---- sockets: system calls (network-neutral, vfs/socket.c) talk to families through this */
struct socket_message {
    struct io *io;
    void *name; /* kernel copy of the address, 128 bytes room */
    unsigned name_length;
    void *control;         /* kernel copy */
    size_t control_length; /* of what is sent; room for what is received */
    size_t control_used;   /* received */
    int flags;             /* MSG_* in; MSG_TRUNC etc. out */
};
struct socket_ops {
    int (*bind)(struct file *, const void *address, unsigned length);
    int (*connect)(struct file *, const void *address, unsigned length);
    int (*listen)(struct file *, int backlog);
    /* A new connected file with one reference. Blocks unless O_NONBLOCK. */
    int (*accept)(struct file *, struct file **connection, int flags);
    int (*name)(struct file *, void *address, unsigned *length, bool peer);
    ssize_t (*send)(struct file *, struct socket_message *);
    ssize_t (*receive)(struct file *, struct socket_message *);
    int (*shutdown)(struct file *, int how);
    /* value is a kernel buffer. */
    int (*set_option)(struct file *, int level, int option, const void *value, unsigned length);
    int (*get_option)(struct file *, int level, int option, void *value, unsigned *length);
};
struct socket_family_record {
    int family;
    int (*create)(int type, int protocol, struct file **); /* type without SOCK_NONBLOCK/CLOEXEC */
    int (*pair)(int type, int protocol, struct file *pair[2]);
};
TABLE(unikit_socket_families, struct socket_family_record);
#define SOCKET_FAMILY(name)                                                                                  \
    DECLARE_("provides socket_family_" #name);                                                               \
    TABLE_RECORD(unikit_socket_families, struct socket_family_record, socket_family_##name)

/* ---- devices in /dev, and files of /proc and /sys: a record each */
struct device_record {
    const char *name; /* below /dev: "null", "net/tun"; NULL: its names come and go */
    unsigned major, minor, mode;
    unsigned minors; /* how many from `minor` on; 0: one */
    const struct file_ops *ops;
    int (*open)(struct file *); /* may be NULL; sets file->data, may replace file->ops */
};
TABLE(unikit_devices, struct device_record);
#define DEVICE(symbol)                                                                                       \
    DECLARE_("device " #symbol);                                                                             \
    TABLE_RECORD(unikit_devices, struct device_record, device_##symbol)

/* Text made anew at each open. */
struct text_sink {
    char *data;
    size_t length, room;
};
void text_put(struct text_sink *, const char *format, ...) printf_like(2, 3);
void text_add(struct text_sink *, const char *bytes, size_t n);
struct text_file_record {
    const char *path; /* absolute: "/proc/meminfo", "/proc/self/status", "/sys/devices/system/cpu/online" */
    void (*show)(struct text_sink *);
};
TABLE(unikit_text_files, struct text_file_record);
#define TEXT_FILE(symbol) TABLE_RECORD(unikit_text_files, struct text_file_record, text_file_##symbol)

/* User memory [start, end) as it is now; nothing of it if it is not there. */
void text_put_user(struct text_sink *, uintptr_t start, uintptr_t end);

/* ---- paths, for the kernel's own use (vfs/) */
/* open(2) from the kernel: flags O_*; 0 or -errno. */
int kernel_open(const char *path, int flags, unsigned mode, struct file **);
/* Whole file into a kmalloc'ed, NUL-terminated buffer. */
int kernel_read_file(const char *path, char **data, size_t *length);
int kernel_write_file(const char *path, const char *data, size_t length);
/* A file in memory that says what changes more often than anybody looks: while it is `stale`, opening it
 * calls `write` first. */
struct late_file {
    void (*write)(void);
    bool stale;
    struct node *node;
    struct late_file *next;
};
/* From now on, for the file that has this name now. */
void late_file_add(struct late_file *, const char *path);

#endif
