/* console/report.c - the report channel's text: events as JSON lines, commands from the host
 * (docs/architecture.md).
 *
 * Events are written straight into one buffer. It keeps what was said before there is a port, and afterwards
 * what the port does not take at once. An event longer than the buffer's room goes out in pieces as it is
 * made; without anybody to take the pieces it is dropped whole, and a later one that fits is kept. Strings
 * may hold any bytes: what is not UTF-8 (RFC 3629) becomes U+FFFD, so that every line is valid JSON (RFC
 * 8259).
 */
#include "report.h"

#include "clock.h"
#include "console.h"
#include "memory.h"
#include "report_port.h"
#include "thread.h"
#include "trace.h"

enum { QUEUE = 16384, KEEP = 8192, COMMAND = 128 };
#define FLUSH_TIME 10000000000UL /* a host that does not read holds up a power-off no longer than this */

static const struct report_port *port PER_BOOT, *expected PER_BOOT;
static uint64_t expected_until;

static char queue[QUEUE];
static size_t queued PER_BOOT;            /* bytes in the queue */
static size_t open_at PER_BOOT;           /* where the open event begins */
static bool open PER_BOOT, lost PER_BOOT; /* an event is being made; it did not fit */
static bool unheard PER_BOOT;             /* nobody will ever take any */
static bool sent_part PER_BOOT;           /* its beginning is sent already */

static char kept[KEEP]; /* ring of standard error */
static size_t kept_total PER_BOOT;

/* ---- the queue */

static void drop_sent(size_t n)
{
    memmove(queue, queue + n, queued - n);
    queued -= n;
    open_at = n < open_at ? open_at - n : 0;
}

void report_send(void)
{
    /* An unfinished event waits, unless its beginning is out already. */
    size_t n, ready;
    while (port && (ready = open && !sent_part ? open_at : queued) && (n = port->send(queue, ready)))
        drop_sent(n);
}

/* Makes room in the middle of an event by polling the port. */
static void drain(void)
{
    uint64_t end = clock_now() + FLUSH_TIME;
    sent_part = sent_part || open_at == 0;
    do {
        size_t before = queued;
        report_send();
        if (queued < before)
            return;
        port->poll();
    } while (port && clock_now() < end);
}

static void put(char c)
{
    if (!open || lost)
        return;
    if (queued == QUEUE && port)
        drain();
    if (queued == QUEUE) {
        lost = true;
        return;
    }
    queue[queued++] = c;
}

static void put_text(const char *text)
{
    while (*text)
        put(*text++);
}

/* ---- JSON */

/* The length of the UTF-8 sequence at the start, 0 if there is none (RFC 3629, section 4). */
static size_t utf8(const unsigned char *s, size_t n)
{
    size_t length;
    unsigned char least = 0x80, most = 0xbf;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2;
    else if ((s[0] & 0xf0) == 0xe0)
        length = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (length > n)
        return 0;
    if (s[0] == 0xe0)
        least = 0xa0; /* shorter forms exist */
    else if (s[0] == 0xed)
        most = 0x9f; /* surrogates */
    else if (s[0] == 0xf0)
        least = 0x90;
    else if (s[0] == 0xf4)
        most = 0x8f; /* beyond U+10FFFF */
    if (s[1] < least || s[1] > most)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static void put_escaped(unsigned char c)
{
    char text[8];
    if (c == '"' || c == '\\') {
        put('\\');
        put((char)c);
    } else if (c == '\n') {
        put_text("\\n");
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(text, sizeof(text), "\\u%04x", c);
        put_text(text);
    } else {
        put((char)c);
    }
}

static void put_string(const char *value, size_t length)
{
    const unsigned char *s = (const unsigned char *)value;
    if (!open)
        return;
    put('"');
    while (length) {
        size_t n = utf8(s, length);
        if (n == 1)
            put_escaped(*s);
        else if (n == 0)
            put_text("\\ufffd");
        for (size_t i = 0; n > 1 && i < n; i++)
            put((char)s[i]);
        n = max(n, (size_t)1);
        s += n, length -= n;
    }
    put('"');
}

static void put_key(const char *key)
{
    if (!open)
        return;
    put(',');
    put_string(key, strlen(key));
    put(':');
}

/* An event that was left unfinished (the kernel failed while it made one) is dropped, or ended if a part of
 * it is out. */
void report_begin(const char *event)
{
    if (unheard)
        return;
    if (open && sent_part)
        put('\n');
    else if (open)
        queued = open_at;
    open = true;
    lost = sent_part = false;
    open_at = queued;
    put_text("{\"event\":");
    put_string(event, strlen(event));
}

/* By hand: every boot says numbers, and nothing else of it needs snprintf, all of which is new code then. */
void report_number(const char *key, int64_t value)
{
    char digits[20];
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    size_t n = 0;

    if (!open)
        return;
    put_key(key);
    if (value < 0)
        put('-');
    do
        digits[n++] = (char)('0' + rest % 10);
    while (rest /= 10);
    while (n)
        put(digits[--n]);
}

void report_hex(const char *key, uint64_t value)
{
    char text[24];
    put_key(key);
    snprintf(text, sizeof(text), "\"0x%lx\"", (unsigned long)value);
    put_text(text);
}

void report_string(const char *key, const char *value, size_t length)
{
    put_key(key);
    put_string(value, length);
}

void report_raw(const char *key, const char *json)
{
    put_key(key);
    put_text(json);
}

/* Events that may be wanted while another is open: they follow it. */
enum { ANSWER_MEMORY, ANSWER_TRACE, ASK_CLOCK };
static void (*const answers[])(void) = {report_memory, trace_report, clock_ask};
static unsigned wanted PER_BOOT;

WEAK void trace_report(void) {}

static void answer(unsigned which)
{
    if (open)
        wanted |= 1U << which;
    else
        answers[which]();
}

void report_clock(void)
{
    answer(ASK_CLOCK);
}

bool report_end(void)
{
    bool told;
    if (!open)
        return false;
    put_text("}\n");
    if (lost && !sent_part)
        queued = open_at;
    told = !lost;
    open = false;
    report_send();
    if (wanted) { /* each ends as this one does, with the next */
        unsigned which = (unsigned)__builtin_ctz(wanted);
        wanted &= ~(1U << which);
        answers[which]();
    }
    return told;
}

/* ---- the port */

void report_attach(const struct report_port *new)
{
    port = new;
    report_send();
    if (port)
        report_clock();
}

void report_expect(const struct report_port *new, uint64_t until)
{
    expected = new;
    expected_until = until;
}

bool report_connected(void)
{
    return port != NULL;
}

void report_settle(void)
{
    unheard = !port && !expected;
    if (unheard)
        queued = 0;
}

WEAK void app_port_flush(void) {}

void report_flush(void)
{
    uint64_t end;
    console_flush();
    app_port_flush();
    while (!port && expected && clock_now() < expected_until)
        expected->poll();
    end = clock_now() + FLUSH_TIME;
    while (port && clock_now() < end) {
        bool busy = port->poll();
        report_send();
        if (!busy && !queued)
            break;
    }
}

/* ---- standard error, for the exit event */

void stderr_keep(const char *text, size_t length)
{
    if (length > KEEP) {
        kept_total += length - KEEP;
        text += length - KEEP;
        length = KEEP;
    }
    while (length) {
        size_t at = kept_total % KEEP, n = min(length, KEEP - at);
        memcpy(kept + at, text, n);
        kept_total += n;
        text += n, length -= n;
    }
}

void report_stderr(void)
{
    static char text[KEEP];
    size_t length = min(kept_total, (size_t)KEEP), start = kept_total % KEEP, skip = 0;

    if (kept_total <= KEEP)
        start = 0;
    memcpy(text, kept + start, length - start);
    memcpy(text + length - start, kept, start);
    /* The cut may be inside a character. */
    while (kept_total > KEEP && skip < 3 && skip < length && (text[skip] & 0xc0) == 0x80)
        skip++;
    report_string("stderr", text + skip, length - skip);
}

/* ---- commands */

static const char *number(const char *s, uint64_t *value)
{
    *value = 0;
    while (*s == ' ')
        s++;
    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++)
        *value = *value > UINT64_MAX / 16 ? *value : *value * 10 + (uint64_t)(*s - '0');
    return s;
}

static const char *word(const char *s, const char *expected)
{
    size_t n = strlen(expected);
    return strncmp(s, expected, n) == 0 && (s[n] == ' ' || s[n] == '\0') ? s + n : NULL;
}

void report_memory(void)
{
    struct page_totals totals = pages_totals();
    report_begin("memory");
    report_number("total", (int64_t)(totals.total * PAGE_SIZE));
    report_number("free", (int64_t)(totals.free * PAGE_SIZE));
    report_number("high", (int64_t)((totals.total - totals.low) * PAGE_SIZE));
    report_end();
}

/* What it does not know it leaves alone: a newer host may say more. */
static void command(const char *line)
{
    const char *rest;
    uint64_t first, second;

    if ((rest = word(line, "signal")) && number(rest, &first) && first >= 1 && first <= 64)
        signal_send(NULL, &(struct signal_info){.number = (int)first});
    else if ((rest = word(line, "winsize")) && (rest = number(rest, &first)) && number(rest, &second))
        console_resize((unsigned)min(first, 65535UL), (unsigned)min(second, 65535UL));
    else if (word(line, "memory"))
        answer(ANSWER_MEMORY);
    else if (word(line, "trace"))
        answer(ANSWER_TRACE);
    else if ((rest = word(line, "clock")) && (rest = number(rest, &first)) && number(rest, &second) &&
             clock_told(first, second))
        report_clock();
    else if ((rest = word(line, "eof")) && number(rest, &first))
        console_input_end(first);
}

void report_receive(const char *bytes, size_t n)
{
    static char line[COMMAND];
    static size_t used PER_BOOT;

    for (; n; n--, bytes++) {
        if (*bytes == '\n') {
            if (used < COMMAND) { /* a longer one is none of ours */
                line[used] = '\0';
                command(line);
            }
            used = 0;
        } else if (used < COMMAND - 1) {
            line[used++] = *bytes == '\r' ? ' ' : *bytes;
        } else {
            used = COMMAND;
        }
    }
}
