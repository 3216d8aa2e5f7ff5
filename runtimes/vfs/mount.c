/* mount.c - mount(2), umount2(2), pivot_root(2): what an image consists of is settled when it is built. */
#include "kernel.h"

SYSCALL(mount, const char __user *source, const char __user *target, const char __user *type,
        unsigned long flags, const void __user *data)
{
    (void)source, (void)target, (void)type, (void)flags, (void)data;
    return -EPERM;
}

SYSCALL(umount2, const char __user *target, int flags)
{
    (void)target, (void)flags;
    return -EPERM;
}

SYSCALL(pivot_root, const char __user *root, const char __user *old)
{
    (void)root, (void)old;
    return -EPERM;
}
