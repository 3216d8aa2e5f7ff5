/* ninep.h - folders of the host, by the protocol 9P2000.L: messages, the calls of a session, nodes. (ninep/)
 *
 * The protocol is the one of Plan 9 (intro(5) of its manual) with the dialect that Linux and QEMU speak
 * (Documentation/filesystems/9p.rst; the messages are described in diod's protocol.md). The host's part is
 * QEMU, but nothing that it answers is believed: lengths, counts and strings are checked.
 *
 * What may change on the host's side is asked for each time it is looked at: names, attributes and bytes are
 * not kept. Only pages that are mapped are, and those are fetched anew when the file is opened and has
 * changed (close-to-open consistency).
 *
 * Waiting: calls that move bytes or sync let other threads run; all others spin until the answer is there,
 * because walks of paths, page faults and closing must not give up the CPU. */
#ifndef UNIKIT_NINEP_H
#define UNIKIT_NINEP_H

#include "../vfs/file_pages.h"
#include "node.h"
#include "virtio.h"

#define NINEP_NO_FID  (~0U)
#define NINEP_NO_TAG  0xffffU
#define NINEP_TAGS    64U
#define NINEP_PIECES  32U                                  /* pages of data in one call */
#define NINEP_IO_MOST ((size_t)NINEP_PIECES << PAGE_SHIFT) /* bytes of data in one call */
#define NINEP_ROOT    0U                                   /* the fid of the folder itself */

/* Types of requests; the answer's is one more. */
enum {
    NINEP_RLERROR = 7,
    NINEP_STATFS = 8,
    NINEP_LOPEN = 12,
    NINEP_LCREATE = 14,
    NINEP_SYMLINK = 16,
    NINEP_MKNOD = 18,
    NINEP_READLINK = 22,
    NINEP_GETATTR = 24,
    NINEP_SETATTR = 26,
    NINEP_READDIR = 40,
    NINEP_FSYNC = 50,
    NINEP_LINK = 70,
    NINEP_MKDIR = 72,
    NINEP_RENAMEAT = 74,
    NINEP_UNLINKAT = 76,
    NINEP_VERSION = 100,
    NINEP_ATTACH = 104,
    NINEP_WALK = 110,
    NINEP_READ = 116,
    NINEP_WRITE = 118,
    NINEP_CLUNK = 120,
};

/* ---- messages (ninep/message.c): little-endian numbers, strings with two bytes of length */
struct ninep_message {
    uint8_t *data;
    size_t at, size;
    bool bad; /* something did not fit, or was not there */
};
void ninep_put8(struct ninep_message *, uint8_t);
void ninep_put16(struct ninep_message *, uint16_t);
void ninep_put32(struct ninep_message *, uint32_t);
void ninep_put64(struct ninep_message *, uint64_t);
void ninep_put_string(struct ninep_message *, const char *, size_t);
/* What is not there reads as 0, and the message is bad. */
uint8_t ninep_get8(struct ninep_message *);
uint16_t ninep_get16(struct ninep_message *);
uint32_t ninep_get32(struct ninep_message *);
uint64_t ninep_get64(struct ninep_message *);
/* The string, not NUL-terminated, where it lies in the message. */
const char *ninep_get_string(struct ninep_message *, size_t *length);

struct ninep_qid {
    uint8_t type;
    uint32_t version;
    uint64_t path; /* one number a file */
};
struct ninep_attributes {
    struct ninep_qid qid;
    uint32_t mode, uid, gid, rdev;
    uint64_t links, size, block_size, blocks;
    int64_t atime, mtime, ctime; /* ns since 1970 */
};
void ninep_get_qid(struct ninep_message *, struct ninep_qid *);
/* The body of an answer to getattr; false: not possible values. */
bool ninep_get_attributes(struct ninep_message *, struct ninep_attributes *);
/* One entry of a directory's listing. False: no more, or nonsense (then the message is bad). */
struct ninep_entry {
    struct ninep_qid qid;
    uint64_t next; /* where the listing goes on after it */
    uint8_t type;  /* DT_* */
    const char *name;
    size_t length;
};
bool ninep_get_entry(struct ninep_message *, struct ninep_entry *);

/* ---- calls: one request and its answer, on their way through a transport */
enum ninep_wait { NINEP_SPIN, NINEP_SLEEP };
struct ninep_session;
struct ninep_call {
    struct ninep_session *session;
    struct ninep_message out, in;              /* `in` has the answer's room; then its length */
    struct virtio_buffer pieces[NINEP_PIECES]; /* data after the message, on the way out or in */
    unsigned sends, receives;                  /* how many of them */
    size_t data;                               /* bytes of the answer beyond `in` */
    uint16_t tag;
    bool done, forgotten; /* nobody waits for the answer */
    int error;            /* of the transport */
    struct thread *sleeper;
};

struct ninep_transport {
    /* Sends the call and waits for the answer. 0 or -errno. */
    int (*exchange)(struct ninep_call *, enum ninep_wait);
    /* Sends it; the answer is thrown away and the call freed. */
    void (*post)(struct ninep_call *);
};

/* One folder of the host. */
struct ninep_session {
    const struct ninep_transport *transport;
    void *channel; /* the transport's */
    uint64_t tags; /* in use */
    uint32_t next_fid;
    size_t io_most;  /* bytes of data in one call, whole pages */
    unsigned epoch;  /* how often it was started: fids of earlier times are gone */
    uint32_t device; /* st_dev of its nodes */
    bool read_only;
    struct list nodes[64]; /* struct ninep_node by number */
    struct ninep_node *root;
};

/* ---- client.c: the calls of a session. 0 or a value, or -errno; -EIO: the answer was nonsense. Names are
 * not NUL-terminated. */
int ninep_start(struct ninep_session *, struct ninep_qid *root); /* version, attach */
uint32_t ninep_fid(struct ninep_session *);
/* `name` NULL: another fid for the same file. */
int ninep_walk(struct ninep_session *, uint32_t from, uint32_t to, const char *name, size_t length,
               struct ninep_qid *);
int ninep_getattr(struct ninep_session *, uint32_t fid, struct ninep_attributes *);
/* `valid`: bits of the protocol, NINEP_SET_*. */
enum {
    NINEP_SET_MODE = 1,
    NINEP_SET_UID = 2,
    NINEP_SET_GID = 4,
    NINEP_SET_SIZE = 8,
    NINEP_SET_ATIME = 16, /* to now, unless the next but one is set too */
    NINEP_SET_MTIME = 32,
    NINEP_SET_ATIME_TO = 128,
    NINEP_SET_MTIME_TO = 256,
};
int ninep_setattr(struct ninep_session *, uint32_t fid, uint32_t valid, const struct ninep_attributes *);
int ninep_open(struct ninep_session *, uint32_t fid, uint32_t flags);
/* The directory's fid becomes that of the new file, opened. */
int ninep_create(struct ninep_session *, uint32_t fid, const char *name, size_t length, uint32_t flags,
                 uint32_t mode);
int ninep_symlink(struct ninep_session *, uint32_t fid, const char *name, size_t length, const char *target);
int ninep_mknod(struct ninep_session *, uint32_t fid, const char *name, size_t length, uint32_t mode);
int ninep_mkdir(struct ninep_session *, uint32_t fid, const char *name, size_t length, uint32_t mode);
int ninep_link(struct ninep_session *, uint32_t directory, uint32_t fid, const char *name, size_t length);
int ninep_rename(struct ninep_session *, uint32_t from, const char *name, size_t length, uint32_t to,
                 const char *to_name, size_t to_length);
int ninep_unlink(struct ninep_session *, uint32_t directory, const char *name, size_t length,
                 bool is_directory);
ssize_t ninep_readlink(struct ninep_session *, uint32_t fid, char *to, size_t size);
/* The pieces hold what is read or written, `n` bytes in all: at most io_most. The count moved. */
ssize_t ninep_read(struct ninep_session *, uint32_t fid, uint64_t offset, const struct virtio_buffer *,
                   unsigned pieces, size_t n, enum ninep_wait);
ssize_t ninep_write(struct ninep_session *, uint32_t fid, uint64_t offset, const struct virtio_buffer *,
                    unsigned pieces, size_t n, enum ninep_wait);
/* Entries (ninep_get_entry) from `offset` on: bytes in the buffer. */
ssize_t ninep_readdir(struct ninep_session *, uint32_t fid, uint64_t offset, void *buffer, size_t n);
int ninep_fsync(struct ninep_session *, uint32_t fid, enum ninep_wait);
struct statfs;
int ninep_statfs(struct ninep_session *, uint32_t fid, struct statfs *);
/* The fid is not needed any more; not waited for. */
void ninep_forget(struct ninep_session *, uint32_t fid);

/* ---- nodes (ninep/nodes.c): one for each file of the host that is in use here, found by its qid */
struct ninep_node {
    struct node node;
    struct list link; /* in session->nodes */
    struct ninep_session *session;
    unsigned epoch;
    uint64_t number; /* qid.path */
    uint32_t fid;
    uint32_t made; /* opened for reading and writing when the file was created; NINEP_NO_FID: no more */
    uint64_t blocks;
    char *name; /* a directory's */
    /* The name that `fid` stands for is gone: the host would answer for whatever has it now, so attributes
     * are kept here. `remains`: the file's true size, bytes beyond node.size are zeros to us. */
    bool detached;
    uint64_t remains;
    struct list files;         /* struct ninep_file: that have it open */
    struct pages pages, dirty; /* mapped pages; those among them that may have been written: zero_page */
    uint64_t dirty_count;
    uint64_t seen_size; /* when the first of the pages was fetched */
    int64_t seen_mtime;
};

struct ninep_file {
    struct list link;
    struct file *file;
    uint32_t fid;
    bool appends; /* the host appends */
    bool busy;    /* a thread is at work at its position */
    struct wait_queue queue;
};

static inline struct ninep_node *ninep_of(const struct node *n)
{
    return container_of(n, struct ninep_node, node);
}
extern const struct node_ops ninep_ops;
extern const struct file_ops ninep_file_ops, ninep_directory_ops;

/* The folder's own node, with a reference. 0 or -errno. */
int ninep_root(struct ninep_session *, struct node **);
int ninep_lookup(struct node *directory, const char *name, size_t length, struct node **);
int ninep_refresh(struct node *);
/* Does `below` lie in the directory `above`, or is it the same? */
bool ninep_lies_in(const struct node *below, const struct node *above);
/* 0, or -ESTALE: it is from before a freeze. */
int ninep_valid(const struct ninep_node *);
int ninep_truncate(struct node *, uint64_t size);
int ninep_open_node(struct node *, struct file *);
/* An open file through which the node's bytes can be written; NULL: none. */
struct ninep_file *ninep_writer(const struct ninep_node *);

/* ---- change.c: of node_ops */
int ninep_make(struct node *directory, const char *name, size_t length, uint32_t mode, uint32_t rdev,
               struct node **);
int ninep_make_link(struct node *directory, const char *name, size_t length, struct node *target);
int ninep_make_symlink(struct node *directory, const char *name, size_t length, const char *target,
                       struct node **);
int ninep_remove(struct node *directory, const char *name, size_t length, bool is_directory);
int ninep_move(struct node *from, const char *name, size_t length, struct node *to, const char *to_name,
               size_t to_length, unsigned flags);
int ninep_change(struct node *, const struct node_change *);

/* ---- pages.c: what is mapped */
int ninep_page(struct file *, uint64_t index, bool write, void **page);
/* Pages that were written through mappings go to the host: those of [first, last]. */
int ninep_write_back(struct ninep_node *, uint64_t first, uint64_t last);
/* Bytes were written past the mappings: the mapped pages get them too. */
void ninep_pages_written(struct ninep_node *, uint64_t offset, const uint8_t *from, size_t n);
/* The file ends at `size` now. */
void ninep_pages_cut(struct ninep_node *, uint64_t size);
/* All pages go, written or not. */
void ninep_pages_drop(struct ninep_node *);

/* ---- mount.c and the transport */
/* The session with the device of this tag, started or not; NULL: there is none. (virtio/ninep.c) */
struct ninep_session *ninep_find(const char *tag);
/* Prepares the memory of a session that was never started. */
void ninep_session_init(struct ninep_session *, const struct ninep_transport *, void *channel);
/* Puts the folders that the boot configuration names into the tree; those that are there already stay. */
void ninep_mount_all(void);

#endif
