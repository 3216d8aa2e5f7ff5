/* console/log.c - the kernel's own messages, shown on the console with verbose=1 in the boot configuration.
 */
#include "config.h"
#include "kernel.h"
#include "report.h"
#include "thread.h"

static bool verbose(void)
{
    static signed char known PER_BOOT; /* 0: not asked yet */
    if (!known) {
        const char *value = config_get("verbose");
        known = value && strcmp(value, "1") == 0 ? 1 : -1;
    }
    return known > 0;
}

void log_line(const char *format, ...)
{
    char line[256];
    va_list args;
    int used, n;
    uint64_t now;

    if (!verbose())
        return;
    now = clock_now();
    used = snprintf(line, sizeof(line), "[%5lu.%06lu] ", (unsigned long)(now / 1000000000),
                    (unsigned long)(now / 1000 % 1000000));
    va_start(args, format);
    n = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
    va_end(args);
    n = max(n, 0);
    used = min(used + n, (int)sizeof(line) - 2);
    line[used++] = '\n';
    console_write(line, (size_t)used);
}
