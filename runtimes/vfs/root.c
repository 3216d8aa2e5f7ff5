/* root.c - start-up: the image becomes the root of the tree, the directories that programs count on are made.
 */
#include "image.h"
#include "memory.h"
#include "path.h"
#include "tree.h"

static void make_directory(const char *path, uint32_t mode)
{
    struct node *n;

    if (tree_directory(path, &tree_ops, DEVICE_ROOT, &n))
        panic("no memory for %s", path);
    n->mode = NODE_DIRECTORY | mode;
    node_put(n);
}

void root_start(void)
{
    if (tree_root)
        return;
    const void *image = boot_information.root_size ? phys_to_virt(boot_information.root_start) : NULL;

    if (!image)
        boot_error("no-root", "The image holds no root file system, and none was given as -initrd.");
    int error = tree_start(image, boot_information.root_size);
    switch (error) {
    case 0:
        break;
    case -EINVAL:
        boot_error("root-format",
                   "The root file system is not EROFS: build the image again, or pass one as -initrd.");
    case -EOPNOTSUPP:
        boot_error("root-format",
                   "The root file system uses EROFS features that are not supported (compression, "
                   "block sizes other than 4096): make it with plain mkfs.erofs.");
    case -ENOMEM:
        boot_error(
            "memory",
            "There is not enough memory for the root file system's nodes: give the machine more (-m).");
    default:
        boot_error("root-damaged", "The root file system is damaged (error %d): build the image again.",
                   -error);
    }
    path_root = tree_root;
    path_cwd = node_get(tree_root);
    make_directory("/tmp", 01777);
    make_directory("/run", 0755);
    make_directory("/var/tmp", 01777);
}

INIT(filesystems)
{
    root_start();
}
