/* format.c - snprintf for the kernel (C17 7.21.6.5, without floating point and wide characters). */
#include "kernel.h"

#ifndef UNIKIT_HOST

struct sink {
    char *to;
    size_t size, length;
};

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->to[s->length] = c;
    s->length++;
}

static void put_many(struct sink *s, char c, int n)
{
    while (n-- > 0)
        put(s, c);
}

struct directive {
    bool left, zero, plus, alternate;
    int width, precision; /* precision -1: none */
    int size;             /* of the integer: 1 hh, 2 h, 4, 8 */
};

static void put_text(struct sink *s, const struct directive *d, const char *text, size_t n)
{
    int pad = d->width - (int)n;
    if (!d->left)
        put_many(s, ' ', pad);
    for (size_t i = 0; i < n; i++)
        put(s, text[i]);
    if (d->left)
        put_many(s, ' ', pad);
}

static void put_integer(struct sink *s, const struct directive *d, uint64_t value, bool negative,
                        unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    int n = 0;
    bool nonzero = value != 0;
    while (value)
        text[n++] = digits[value % base], value /= base;
    int least = d->precision >= 0 ? d->precision : 1;
    int zeros = least > n ? least - n : 0;
    char prefix[3];
    int prefixes = 0;
    if (negative)
        prefix[prefixes++] = '-';
    else if (d->plus)
        prefix[prefixes++] = '+';
    if (d->alternate && base == 16 && nonzero)
        prefix[prefixes++] = '0', prefix[prefixes++] = upper ? 'X' : 'x';
    int pad = d->width - n - zeros - prefixes;
    if (d->zero && !d->left && d->precision < 0 && pad > 0)
        zeros += pad, pad = 0;
    if (!d->left)
        put_many(s, ' ', pad);
    for (int i = 0; i < prefixes; i++)
        put(s, prefix[i]);
    put_many(s, '0', zeros);
    while (n)
        put(s, text[--n]);
    if (d->left)
        put_many(s, ' ', pad);
}

static int64_t sized_signed(const struct directive *d, int64_t v)
{
    return d->size == 1 ? (signed char)v : d->size == 2 ? (short)v : d->size == 4 ? (int)v : v;
}

static uint64_t sized_unsigned(const struct directive *d, uint64_t v)
{
    return d->size == 8 ? v : v & ((1UL << (d->size * 8)) - 1);
}

static const char *parse(const char *f, struct directive *d, va_list *args)
{
    *d = (struct directive){.precision = -1, .size = 4};
    for (;; f++) {
        if (*f == '-')
            d->left = true;
        else if (*f == '0')
            d->zero = true;
        else if (*f == '+')
            d->plus = true;
        else if (*f == '#')
            d->alternate = true;
        else
            break;
    }
    if (*f == '*') {
        d->width = va_arg(*args, int), f++;
        if (d->width < 0)
            d->left = true, d->width = -d->width;
    }
    while (*f >= '0' && *f <= '9')
        d->width = d->width * 10 + *f++ - '0';
    if (*f == '.') {
        d->precision = 0;
        if (*++f == '*')
            d->precision = va_arg(*args, int), f++;
        while (*f >= '0' && *f <= '9')
            d->precision = d->precision * 10 + *f++ - '0';
    }
    if (*f == 'h') {
        d->size = 2;
        if (*++f == 'h')
            d->size = 1, f++;
    }
    while (*f == 'l' || *f == 'z' || *f == 'j' || *f == 't')
        d->size = 8, f++;
    return f;
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments)
{
    struct sink s = {to, size, 0};
    va_list args;
    va_copy(args, arguments);
    for (const char *f = format; *f; f++) {
        if (*f != '%') {
            put(&s, *f);
            continue;
        }
        struct directive d;
        f = parse(f + 1, &d, &args);
        switch (*f) {
        case 'd':
        case 'i': {
            int64_t v = d.size == 8 ? va_arg(args, long) : va_arg(args, int);
            v = sized_signed(&d, v);
            put_integer(&s, &d, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10, false);
            break;
        }
        case 'u':
        case 'x':
        case 'X':
        case 'o': {
            uint64_t v = d.size == 8 ? va_arg(args, unsigned long) : va_arg(args, unsigned);
            put_integer(&s, &d, sized_unsigned(&d, v), false, *f == 'u' ? 10 : *f == 'o' ? 8 : 16, *f == 'X');
            break;
        }
        case 'p':
            d.alternate = true;
            put_integer(&s, &d, (uintptr_t)va_arg(args, void *), false, 16, false);
            break;
        case 's': {
            const char *text = va_arg(args, const char *);
            if (!text)
                text = "(null)";
            put_text(&s, &d, text, d.precision >= 0 ? strnlen(text, (size_t)d.precision) : strlen(text));
            break;
        }
        case 'c': {
            char c = (char)va_arg(args, int);
            put_text(&s, &d, &c, 1);
            break;
        }
        case '%':
            put(&s, '%');
            break;
        default: /* a mistake in the format: shown as it stands */
            put(&s, '%');
            if (!*f)
                f--;
            else
                put(&s, *f);
        }
    }
    va_end(args);
    if (size)
        s.to[min(s.length, size - 1)] = 0;
    return (int)s.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to, size, format, args);
    va_end(args);
    return n;
}

#endif
