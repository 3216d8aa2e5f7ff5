/* names.c - one hash table for the names of all directories that are in memory, and a small cache of names
 * that the image was asked for in vain.
 *
 * An interpreter asks for thousands of names, most of them again and again along the same directories, many
 * of them absent: a hit must cost tens of instructions. Hashes are seeded at random, so names that come from
 * strangers cannot be made to collide. */
#include "entropy.h"
#include "memory.h"
#include "names.h"

static struct entry **table;
static size_t slots, used;
static uint64_t seed;

struct absent {
    uint64_t directory; /* its number + 1; 0: empty */
    uint8_t length;
    char name[55];
};
static struct absent absents[256];

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15U;
    return h ^ (h >> 29);
}

uint64_t names_hash(const struct tree_node *directory, const char *name, size_t length)
{
    uint64_t h = mix(seed ^ length, directory->node.number), word = 0;

    for (; length >= 8; length -= 8, name += 8) {
        memcpy(&word, name, 8);
        h = mix(h, word);
    }
    if (length >= 4) {
        uint32_t low, high;
        memcpy(&low, name, 4);
        memcpy(&high, name + length - 4, 4);
        word = (uint64_t)high << 32 | low;
        h = mix(h, word);
    } else if (length) {
        word = (uint64_t)(uint8_t)name[0] | (uint64_t)(uint8_t)name[length / 2] << 8 |
               (uint64_t)(uint8_t)name[length - 1] << 16;
        h = mix(h, word);
    }
    return h;
}

struct entry *names_find(const struct tree_node *directory, const char *name, size_t length, uint64_t hash)
{
    for (struct entry *e = table[hash & (slots - 1)]; e; e = e->next) {
        if (e->hash == hash && e->directory == directory && e->length == length &&
            memcmp(e->name, name, length) == 0)
            return e;
    }
    return NULL;
}

bool names_start(void)
{
    slots = 512;
    seed = random_u64();
    table = kzalloc(slots * sizeof(struct entry *));
    return table != NULL;
}

static void grow(void)
{
    size_t wanted = slots * 2;
    struct entry **bigger = kzalloc(wanted * sizeof(struct entry *));

    if (!bigger)
        return; /* longer chains will do */
    for (size_t i = 0; i < slots; i++) {
        for (struct entry *e = table[i], *next; e; e = next) {
            next = e->next;
            e->next = bigger[e->hash & (wanted - 1)];
            bigger[e->hash & (wanted - 1)] = e;
        }
    }
    kfree(table);
    table = bigger;
    slots = wanted;
}

struct entry *names_add(struct tree_node *directory, const char *name, size_t length, uint64_t hash)
{
    if (used >= slots)
        grow();
    struct entry *e = kmalloc(sizeof(*e) + length + 1);
    if (!e)
        return NULL;
    *e = (struct entry){.directory = directory, .hash = hash, .length = (uint8_t)length};
    memcpy(e->name, name, length);
    e->name[length] = 0;
    e->next = table[hash & (slots - 1)];
    table[hash & (slots - 1)] = e;
    list_append(&directory->directory.entries, &e->link);
    used++;
    return e;
}

void names_delete(struct entry *entry)
{
    for (struct entry **p = &table[entry->hash & (slots - 1)]; *p; p = &(*p)->next) {
        if (*p == entry) {
            *p = entry->next;
            break;
        }
    }
    list_remove(&entry->link);
    used--;
    kfree(entry);
}

bool names_absent(const struct tree_node *directory, const char *name, size_t length, uint64_t hash)
{
    const struct absent *a = &absents[(hash >> 32) % array_size(absents)];
    return a->directory == directory->node.number + 1 && a->length == length &&
           memcmp(a->name, name, length) == 0;
}

void names_set_absent(const struct tree_node *directory, const char *name, size_t length, uint64_t hash)
{
    struct absent *a = &absents[(hash >> 32) % array_size(absents)];

    if (length > sizeof(a->name))
        return;
    a->directory = directory->node.number + 1;
    a->length = (uint8_t)length;
    memcpy(a->name, name, length);
}
