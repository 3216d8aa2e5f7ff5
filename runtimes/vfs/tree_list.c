/* tree_list.c - listing directories: the image's names that still show, then those that were added, in the
 * order in which they were. A position stays good while names come and go. */
#include "memory.h"
#include "tree_entries.h"

#define ADDED_FROM                                                                                           \
    (1UL << 62) /* positions: ".", "..", the image's names, then the added ones from here on                 \
                 */
#define POSITION_BASE 2U

int dirent_put(struct io *io, uint64_t number, uint64_t next, unsigned type, const char *name, size_t length)
{
    struct {
        uint64_t number;
        int64_t next;
        uint16_t size;
        uint8_t type;
        char name[NAME_LONGEST + 1 + 8];
    } __attribute__((packed)) record;
    size_t size = (offsetof(__typeof__(record), name) + length + 1 + 7) & ~7UL;

    if (io->left < size)
        return 0;
    record.number = number;
    record.next = (int64_t)next;
    record.size = (uint16_t)size;
    record.type = (uint8_t)type;
    memcpy(record.name, name, length);
    memset(record.name + length, 0, size - offsetof(__typeof__(record), name) - length);
    return io_put(io, &record, size) == (ssize_t)size ? 1 : -EFAULT;
}

int tree_getdents(struct file *file, struct io *io)
{
    struct tree_node *d = tree_of(file->node);
    size_t room = io->left;
    struct erofs_entry found;
    int error = 1;

    if (!tree_alive(&d->node))
        return -ENOENT;
    if (file->pos == 0) {
        error = dirent_put(io, d->node.number, 1, 4, ".", 1);
        if (error > 0)
            file->pos = 1;
    }
    if (error > 0 && file->pos == 1) {
        error = dirent_put(io, d->node.parent ? d->node.parent->number : d->node.number, POSITION_BASE, 4,
                           "..", 2);
        if (error > 0)
            file->pos = POSITION_BASE;
    }
    while (error > 0 && d->imaged && file->pos < ADDED_FROM) {
        uint64_t position = file->pos - POSITION_BASE;
        error = erofs_next(&d->image, &position, &found);
        if (error < 0)
            break;
        if (error == 0) {
            file->pos = ADDED_FROM;
            error = 1;
            break;
        }
        bool dot = found.name[0] == '.' && (found.length == 1 || (found.length == 2 && found.name[1] == '.'));
        if (!dot) {
            const struct entry *e =
                d->directory.entries.next != &d->directory.entries
                    ? names_find(d, found.name, found.length, names_hash(d, found.name, found.length))
                    : NULL;
            if (!e || e->state == ENTRY_IMAGE)
                error = dirent_put(io, found.nid + 1, position + POSITION_BASE, found.type, found.name,
                                   found.length);
        }
        if (error > 0)
            file->pos = position + POSITION_BASE;
    }
    if (error > 0 && file->pos < ADDED_FROM)
        file->pos = ADDED_FROM;
    if (error > 0 && d->directory.added) {
        list_for_each (p, &d->directory.entries) {
            const struct entry *e = list_entry(p, struct entry, link);
            if (e->state != ENTRY_ADDED || e->sequence < file->pos - ADDED_FROM)
                continue;
            error = dirent_put(io, e->node->number, ADDED_FROM + e->sequence + 1, node_type(e->node) >> 12,
                               e->name, e->length);
            if (error <= 0)
                break;
            file->pos = ADDED_FROM + e->sequence + 1;
        }
    }
    if (io->left < room)
        return (int)(room - io->left);
    return error == 0 ? -EINVAL : min(error, 0); /* EINVAL: not even one fits */
}

const struct file_ops tree_directory_file_ops = {
    .seek = file_seek_plain,
    .getdents = tree_getdents,
    .kind = "directory",
};
