/* crash.c - the `crash` event: where the program died, told before the process ends (docs/architecture.md).
 *
 * report_frames() walks frame pointers. Distributions compile without them, so when that gives up, the words
 * on the stack are searched for what looks like return addresses: into executable memory, right behind a call
 * instruction. Some of them are stale, but the list holds the true chain.
 */
#include "signals.h"
#include "memory.h"
#include "report.h"

#define SCANNED 2048 /* words of the stack */
#define GUESSES 24
#define LINE    192

static void say(const char *text)
{
    console_write(text, strlen(text));
}

static void say_address(uintptr_t address)
{
    char line[LINE];
    const char *module;
    uint64_t offset;
    if (report_module(address, &module, &offset))
        snprintf(line, sizeof(line), "  %#lx %s+%#lx\n", address, module, (unsigned long)offset);
    else
        snprintf(line, sizeof(line), "  %#lx\n", address);
    say(line);
}

/* JSON: [{"ip": ..., "module": ..., "offset": ...}, ...]; without a listener, lines on the console. */
static void scan(uintptr_t sp, bool console)
{
    static char json[GUESSES * LINE];
    size_t length = 0;
    int found = 0;
    json[length++] = '[';
    for (int i = 0; i < SCANNED && found < GUESSES; i++, sp += sizeof(uintptr_t)) {
        uintptr_t word;
        const char *module;
        uint64_t offset;
        if (get_user(word, (const uintptr_t __user *)sp))
            break;
        if (!report_is_return(word) || !report_module(word, &module, &offset))
            continue;
        if (console)
            say_address(word);
        int n = snprintf(json + length, sizeof(json) - length - 2,
                         "%s{\"ip\":\"%#lx\",\"module\":\"%.120s\",\"offset\":\"%#lx\"}", found ? "," : "",
                         word, module, (unsigned long)offset);
        if (n < 0 || length + (size_t)n >= sizeof(json) - 2)
            break;
        length += (size_t)n;
        found++;
    }
    json[length] = ']';
    json[length + 1] = '\0';
    report_raw("stack", json);
}

/* The last fault that went to a handler. Handlers that only tell (faulthandler's) raise the signal again when
 * they are done: then this is what the program died of. */
static struct {
    struct signal_info info;
    struct registers user;
    int thread;
} handled;

void crash_remember(const struct signal_info *info, const struct registers *user)
{
    handled.info = *info;
    handled.user = *user;
    handled.thread = current->tid;
}

static bool raised_again(const struct signal_info *info)
{
    return info->code <= 0 && info->number == handled.info.number && current->tid == handled.thread;
}

void crash_report(const struct signal_info *info, const struct registers *user)
{
    static bool again;
    if (again)
        return;
    again = true;
    if (raised_again(info))
        info = &handled.info, user = &handled.user;
    bool console = !report_connected();
    if (console) {
        char line[LINE];
        snprintf(line, sizeof(line), "unikit: the program crashed: signal %d, code %d, address %#lx, at\n",
                 info->number, info->code, info->address);
        say(line);
        say_address(user->rip);
    }
    report_begin("crash");
    report_number("signal", info->number);
    report_number("code", info->code);
    report_hex("address", info->address);
    report_hex("ip", user->rip);
    const char *module;
    uint64_t offset;
    if (report_module(user->rip, &module, &offset)) {
        report_string("module", module, strlen(module));
        report_hex("offset", offset);
    }
    report_number("thread", current->tid);
    report_frames(user->rip, user->rbp);
    scan(align_up(user->rsp, 8UL), console);
    report_end();
}
