/* heap.c - the kernel heap: objects of a few sizes, carved from pages; larger ones are pages of their own.
 *
 * Every page of the heap starts with a header, so that kfree() finds the object's size at the start of its
 * page. A page of small objects is linked into its size's list while it has room and goes back to the page
 * allocator when it is empty, so a burst of connections leaves nothing behind. With UNIKIT_DEBUG freed
 * objects are poisoned, and writes to them are found when they are given out again.
 */
#include "memory.h"

#define SMALL_MAGIC 0x75736d6cU
#define LARGE_MAGIC 0x756c7267U
#define POISON      0xdd

struct slab {
    uint32_t magic;
    uint16_t size_index, used;
    struct list link; /* in its size's list while it has room */
    void *free;       /* first free object; each holds the next */
    uint32_t fresh;   /* objects from this offset on were never given out */
    uint32_t order;   /* of a large one: its pages */
};
_Static_assert(sizeof(struct slab) <= 48, "the header takes more of each page than it should");
#define HEADER 48UL

/* Spaced so that at most a fifth of an object is lost; the last ones fill a page with 4, 3 and 2 objects. */
static const uint16_t sizes[] = {16,  32,  48,  64,  80,  96,  112, 128,  160,  192, 224,
                                 256, 320, 384, 448, 512, 640, 800, 1008, 1344, 2016};
#define SMALL_MOST 2016UL

static struct list rooms[array_size(sizes)];
static uint8_t index_of[SMALL_MOST / 16 + 1]; /* by (size + 15) / 16 */

static void prepare(void)
{
    for (size_t i = 0; i < array_size(sizes); i++)
        list_init(&rooms[i]);
    for (size_t units = 0, i = 0; units < array_size(index_of); units++) {
        while (sizes[i] < units * 16)
            i++;
        index_of[units] = (uint8_t)i;
    }
}

static struct slab *slab_new(unsigned index)
{
    struct slab *s = pages_alloc(0);
    if (s) {
        *s = (struct slab){.magic = SMALL_MAGIC, .size_index = (uint16_t)index, .fresh = HEADER};
        list_push(&rooms[index], &s->link);
    }
    return s;
}

static void *small_alloc(unsigned index)
{
    struct slab *s =
        list_empty(&rooms[index]) ? slab_new(index) : list_first(&rooms[index], struct slab, link);
    if (!s)
        return NULL;
    void *p = s->free;
    if (p) {
        s->free = *(void **)p;
#ifdef UNIKIT_DEBUG
        for (size_t i = sizeof(void *); i < sizes[index]; i++)
            if (((uint8_t *)p)[i] != POISON)
                panic("kernel heap: the freed object at %p of %u bytes was written to at +%zu", p,
                      sizes[index], i);
#endif
    } else {
        p = (char *)s + s->fresh;
        s->fresh += sizes[index];
    }
    s->used++;
    if (!s->free && s->fresh + sizes[index] > PAGE_SIZE)
        list_remove(&s->link);
    return p;
}

static void *large_alloc(size_t size)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < size + HEADER)
        order++;
    struct slab *s = order <= 10 ? pages_alloc(order) : NULL;
    if (!s)
        return NULL;
    s->magic = LARGE_MAGIC, s->order = order;
    return (char *)s + HEADER;
}

void *kmalloc(size_t size)
{
    if (!rooms[0].next)
        prepare();
    if (size > SMALL_MOST)
        return size > (PAGE_SIZE << 10) ? NULL : large_alloc(size);
    return small_alloc(index_of[(size + 15) / 16]);
}

void *kzalloc(size_t size)
{
    void *p = kmalloc(size);
    return p ? memset(p, 0, size) : NULL;
}

/* The header of an object's page; large objects start in their first page as well. */
static struct slab *slab_of(const void *p)
{
    struct slab *s = (struct slab *)((uintptr_t)p & PAGE_MASK);
    if (unlikely(s->magic != SMALL_MAGIC && s->magic != LARGE_MAGIC))
        panic("kernel heap: %p was never given out, or its page was overwritten", p);
    return s;
}

static size_t room_of(const void *p)
{
    const struct slab *s = slab_of(p);
    return s->magic == SMALL_MAGIC ? sizes[s->size_index] : (PAGE_SIZE << s->order) - HEADER;
}

void kfree(void *p)
{
    if (!p)
        return;
    struct slab *s = slab_of(p);
    if (s->magic == LARGE_MAGIC) {
        s->magic = 0;
        pages_free(s, s->order);
        return;
    }
    unsigned size = sizes[s->size_index];
    bool was_full = !s->free && s->fresh + size > PAGE_SIZE;
#ifdef UNIKIT_DEBUG
    if (((uintptr_t)p - (uintptr_t)s - HEADER) % size)
        panic("kernel heap: %p is not the start of an object", p);
    for (void *f = s->free; f; f = *(void **)f)
        if (f == p)
            panic("kernel heap: %p is freed twice", p);
    memset(p, POISON, size);
#endif
    *(void **)p = s->free;
    s->free = p;
    if (was_full)
        list_push(&rooms[s->size_index], &s->link);
    if (--s->used == 0 && s->link.next != s->link.prev) { /* not the only one with room: give it back */
        list_remove(&s->link);
        s->magic = 0;
        pages_free(s, 0);
    }
}

void *krealloc(void *p, size_t size)
{
    if (!p)
        return kmalloc(size);
    size_t room = room_of(p);
    if (size <= room && (size >= room / 2 || room <= 64))
        return p;
    void *q = kmalloc(size);
    if (!q)
        return size <= room ? p : NULL;
    memcpy(q, p, min(size, room));
    kfree(p);
    return q;
}

char *kstrdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = kmalloc(n);
    return copy ? memcpy(copy, s, n) : NULL;
}
