/* panic.c - how the kernel says that it cannot go on: its own fault (panic), or the user's to mend
 * (boot_error). */
#include "memory.h"
#include "report.h"

#define STATUS_PANIC 70 /* EX_SOFTWARE */
#define STATUS_ERROR 78 /* EX_CONFIG */

static void say(const char *kind, const char *text)
{
    console_write("unikit: ", 8);
    console_write(kind, strlen(kind));
    console_write(text, strlen(text));
    console_write("\n", 1);
}

/* The callers, innermost first, by the chain of frame pointers. */
static void say_frames(uintptr_t frame)
{
    char line[40];
    for (int i = 0; i < 16 && frame >= DIRECT_MAP && frame % 8 == 0; i++) {
        const uintptr_t *f = (const uintptr_t *)frame;
        snprintf(line, sizeof(line), "  at %#lx", f[1]);
        say("", line);
        if (f[0] <= frame)
            break;
        frame = f[0];
    }
}

void panic(const char *format, ...)
{
    static bool again; /* the report itself failed */
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    say("kernel panic: ", message);
    if (again)
        power_off(STATUS_PANIC);
    again = true;
    say_frames(frame);
    report_begin("panic");
    report_string("message", message, strlen(message));
    report_frames((uintptr_t)__builtin_return_address(0), frame);
    report_end();
    power_off(STATUS_PANIC);
}

void boot_error(const char *code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    report_begin("error");
    report_string("code", code, strlen(code));
    report_string("message", message, strlen(message));
    report_end();
    if (!report_connected())
        say("", message);
    power_off(STATUS_ERROR);
}
