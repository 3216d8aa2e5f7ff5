/* The path walk and the tree: any sequence of calls on any paths. Afterwards everything is removed again, and
 * then no page, name or reference may be left.
 *
 * Input: records of a call's number, then NUL-terminated texts as its arguments. */
// clang-format off
// components: vfs/path vfs/tree vfs/tree_change vfs/tree_entries vfs/tree_list vfs/tree_make vfs/names vfs/data vfs/file_pages vfs/erofs vfs/io vfs/file vfs/at vfs/descriptors vfs/open vfs/mkdir vfs/unlink vfs/rename vfs/link vfs/truncate vfs/readlink vfs/cwd vfs/write vfs/close
// clang-format on
#include <stdlib.h>
#include <string.h>

#include "../../../runtimes/vfs/descriptors.h"
#include "../../../runtimes/vfs/names.h"
#include "../../../runtimes/vfs/path.h"
#include "../../../runtimes/vfs/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

long sys_openat(int, const char *, int, unsigned);
long sys_mkdir(const char *, unsigned);
long sys_unlink(const char *);
long sys_rmdir(const char *);
long sys_renameat2(int, const char *, int, const char *, unsigned);
long sys_link(const char *, const char *);
long sys_symlink(const char *, const char *);
long sys_truncate(const char *, int64_t);
long sys_readlink(const char *, char *, size_t);
long sys_chdir(const char *);
long sys_getcwd(char *, size_t);
long sys_pwrite64(int, const void *, size_t, int64_t);
long sys_close(int);

static void clear(struct node *directory)
{
    struct tree_node *d = tree_of(directory);

    while (!list_empty(&d->directory.entries)) {
        struct entry *e = list_first(&d->directory.entries, struct entry, link);
        struct node *n = node_get(e->node);
        bool is_directory = node_is_directory(n);
        if (is_directory)
            clear(n);
        if (directory->ops->unlink(directory, e->name, e->length, is_directory))
            abort();
        node_put(n);
    }
}

static const char *text(const uint8_t **data, size_t *size)
{
    static char texts[2][5000];
    static unsigned turn;
    char *to = texts[turn++ % 2];
    size_t n = 0;

    while (*size && **data && n < sizeof(texts[0]) - 1) {
        to[n++] = (char)**data;
        (*data)++, (*size)--;
    }
    if (*size)
        (*data)++, (*size)--;
    to[n] = 0;
    return to;
}

static void call(unsigned number, const uint8_t **data, size_t *size)
{
    const char *one = text(data, size), *two;
    char buffer[4200];
    long fd;

    switch (number % 11) {
    case 0:
        sys_mkdir(one, 0755);
        break;
    case 1:
        two = text(data, size);
        fd = sys_openat(-100, one, (int)((number >> 4 & 1 ? 0100 : 0) | (number >> 5 & 1 ? 0200000 : 0) | 2),
                        0644);
        if (fd >= 0) {
            sys_pwrite64((int)fd, two, strlen(two), (int64_t)number * 1000);
            sys_close((int)fd);
        }
        break;
    case 2:
        sys_unlink(one);
        break;
    case 3:
        sys_rmdir(one);
        break;
    case 4:
        two = text(data, size);
        sys_renameat2(-100, one, -100, two, number >> 5 & 3);
        break;
    case 5:
        two = text(data, size);
        sys_link(one, two);
        break;
    case 6:
        two = text(data, size);
        sys_symlink(one, two);
        break;
    case 7:
        sys_truncate(one, (int64_t)number << 9);
        break;
    case 8:
        sys_readlink(one, buffer, sizeof(buffer));
        break;
    case 9:
        sys_chdir(one);
        break;
    default:
        sys_getcwd(buffer, sizeof(buffer));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!tree_root) {
        tree_start(NULL, 0);
        path_root = tree_root;
        path_cwd = node_get(tree_root);
    }
    while (size) {
        unsigned number = *data;
        data++, size--;
        call(number, &data, &size);
    }
    node_put(path_cwd);
    path_cwd = node_get(tree_root);
    clear(tree_root);
    if (tree_root->users != 2 || tree_root->links != 2 || data_totals().used != 0 || fd_count() != 0)
        abort();
    return 0;
}
