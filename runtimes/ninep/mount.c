/* mount.c - the folders that the boot configuration names, at their places in the tree:
 * `volume=TAG:DIRECTORY` or `volume=TAG:DIRECTORY:ro`. */
#include "config.h"
#include "memory.h"
#include "ninep.h"
#include "../vfs/path.h"

struct volume {
    char tag[64];
    char path[PATH_LONGEST];
    bool read_only;
};
static struct volume volume; /* the one that is being looked at */

static bool parse(const char *text, struct volume *v)
{
    const char *colon = strchr(text, ':');
    size_t length;

    if (!colon || colon == text || (size_t)(colon - text) >= sizeof(v->tag) || colon[1] != '/')
        return false;
    memcpy(v->tag, text, (size_t)(colon - text));
    v->tag[colon - text] = 0;
    length = strlen(++colon);
    v->read_only = length > 3 && strcmp(colon + length - 3, ":ro") == 0;
    length -= v->read_only ? 3 : 0;
    while (length > 1 && colon[length - 1] == '/')
        length--;
    if (length < 2 || length >= sizeof(v->path))
        return false;
    memcpy(v->path, colon, length);
    v->path[length] = 0;
    return true;
}

/* The directory that is to be hidden, made with those above it if it is not there: as often as a name is
 * missing. */
static int place(const char *path, struct node **out)
{
    static char part[PATH_LONGEST];
    int error = path_find(path, true, out);

    for (size_t end = 1; error == -ENOENT && path[end - 1];) {
        struct node *made;
        while (path[end] && path[end] != '/')
            end++;
        memcpy(part, path, end);
        part[end++] = 0;
        error = path_make(part, NODE_DIRECTORY | 0755, 0, &made);
        if (!error)
            node_put(made);
        if (!error || error == -EEXIST)
            error = path_find(path, true, out);
    }
    if (!error && !node_is_directory(*out)) {
        node_put(*out);
        error = -ENOTDIR;
    }
    return error;
}

static void mount(const struct volume *v, uint32_t device)
{
    struct ninep_session *s = ninep_find(v->tag);
    struct node *root, *under;
    struct ninep_qid qid;

    if (!s)
        boot_error(
            "volume",
            "There is no folder of the host with the tag '%s', which was to appear as %s: give the machine a "
            "virtio-9p device with this mount_tag.",
            v->tag, v->path);
    if (s->root && s->root->epoch == s->epoch)
        return;
    s->device = device;
    s->read_only = v->read_only;
    int error = ninep_start(s, &qid);
    if (!error)
        error = ninep_root(s, &root);
    if (error)
        boot_error("volume", "The folder of the host for %s cannot be opened (error %d).", v->path, -error);
    error = place(v->path, &under);
    if (error == 0 && (under == path_root || under->mounted))
        error = -EBUSY;
    if (error)
        boot_error("volume", "A folder of the host cannot appear as %s (error %d): choose another directory.",
                   v->path, -error);
    under->mounted = root; /* both references are kept */
    root->parent = node_get(under->parent);
    root->name = under->name;
}

void ninep_mount_all(void)
{
    const char *text;

    for (uint32_t i = 0; (text = config_each("volume", i)); i++) {
        if (!parse(text, &volume))
            boot_error("volume", "'%s' is no volume: volume=TAG:/DIRECTORY or volume=TAG:/DIRECTORY:ro.",
                       text);
        mount(&volume, DEVICE_HOST + i);
    }
}

/* What is mapped, and what files that are open for writing were given. */
static int sync_session(struct ninep_session *s)
{
    int result = 0;

    for (size_t i = 0; i < array_size(s->nodes); i++) {
        list_for_each (p, &s->nodes[i]) {
            struct ninep_node *n = list_entry(p, struct ninep_node, link);
            const struct ninep_file *f = ninep_valid(n) ? NULL : ninep_writer(n);
            int error = f ? ninep_write_back(n, 0, UINT64_MAX >> PAGE_SHIFT) : 0;
            if (f && !error)
                error = ninep_fsync(s, f->fid, NINEP_SPIN);
            result = error ? error : result;
        }
    }
    return result;
}

int files_sync(void)
{
    const char *text;
    int result = 0;

    for (size_t i = 0; (text = config_each("volume", i)); i++) {
        struct ninep_session *s = parse(text, &volume) ? ninep_find(volume.tag) : NULL;
        int error = s ? sync_session(s) : 0;
        result = error ? error : result;
    }
    return result;
}

START(services)
{
    ninep_mount_all();
}
