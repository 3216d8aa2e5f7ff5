/* memory/map.c - the calls mmap(2), munmap(2), mprotect(2). */
#include "file.h"
#include "space.h"

#include <asm/fcntl.h>

static int may_map(const struct file *file, int prot, int flags)
{
    int mode = file->flags & O_ACCMODE;

    if (!file->ops->page)
        return -ENODEV;
    if (mode == O_WRONLY)
        return -EACCES;
    if ((flags & MAP_SHARED) && (prot & PROT_WRITE) && mode != O_RDWR)
        return -EACCES;
    return 0;
}

SYSCALL(mmap, uintptr_t address, size_t length, int prot, int flags, int fd, uint64_t offset)
{
    int type = flags & MAP_TYPE;
    struct file *file = NULL;
    long result;

    if (offset % PAGE_SIZE || (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE))
        return -EINVAL;
    if (flags & MAP_HUGETLB)
        return -ENOMEM;
    if (type == MAP_SHARED_VALIDATE)
        flags = (flags & ~MAP_TYPE) | MAP_SHARED;
    if (flags & MAP_ANONYMOUS)
        return space_map(address, length, prot, flags, NULL, 0);
    file = fd_get(fd);
    if (!file)
        return -EBADF;
    result = may_map(file, prot, flags);
    if (result == 0 && offset + length < offset)
        result = -EOVERFLOW;
    if (result == 0)
        result = space_map(address, length, prot, flags, file, offset);
    file_put(file);
    return result;
}

SYSCALL(munmap, uintptr_t address, size_t length)
{
    return space_unmap(address, length);
}

SYSCALL(mprotect, uintptr_t address, size_t length, int prot)
{
    return space_protect(address, length, prot);
}
