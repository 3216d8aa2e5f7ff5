/* console/report_device.c - /dev/unikit/report: the application's own words on the report channel. Each write
 * is one `app` event, so a program tells its supervisor what it found without a log that has to be read.
 */
#include "file.h"
#include "memory.h"
#include "report.h"

enum { MAJOR_MISC = 10, MINOR_REPORT = 222, LONGEST = 1 << 20 };

static ssize_t report_write(struct file *file, struct io *io, uint64_t *pos)
{
    size_t length = io->left;
    ssize_t moved;
    char *text;
    bool told;

    (void)file, (void)pos;
    if (!length)
        return 0;
    if (length > LONGEST)
        return -EMSGSIZE; /* half an event is none */
    text = kmalloc(length);
    if (!text)
        return -ENOMEM;
    moved = io_take(io, text, length);
    if (moved == (ssize_t)length) {
        report_begin("app");
        report_string("text", text, length);
        told = report_end();
        if (!told)
            moved = -EPIPE; /* nobody reads */
    } else if (moved >= 0) {
        moved = -EFAULT;
    }
    kfree(text);
    return moved;
}

static const struct file_ops report_ops = {.write = report_write, .kind = "report"};

DEVICE(report) = {
    .name = "unikit/report", .major = MAJOR_MISC, .minor = MINOR_REPORT, .mode = 0222, .ops = &report_ops};
