/* net_receive.c - frames out of the buffers that a network device returns (virtio 1.2, section 5.1.6.4).
 *
 * Nothing that comes from the device is believed: lengths are held against the buffers' sizes, a frame
 * against the length that the stack can hold, the count of merged buffers against what such a frame could
 * need.
 */
#include "net_receive.h"

enum { FLAG_NEEDS_CHECKSUM = 1, FLAG_CHECKED = 2 };
enum { HEADER_FLAGS = 0, HEADER_BUFFERS = 10 };

static void begin(struct net_receiver *r, const struct net_buffer *b, uint32_t written)
{
    r->first = r->last = NULL;
    r->total = 0;
    r->missing = 1;
    r->bad = written < r->header;
    if (r->bad)
        return;
    /* A frame whose checksum is yet to be filled in comes from this very host: it was never on a wire. */
    r->checked = b->memory[HEADER_FLAGS] & (FLAG_NEEDS_CHECKSUM | FLAG_CHECKED);
    if (r->mergeable) {
        r->missing = b->memory[HEADER_BUFFERS] | (unsigned)b->memory[HEADER_BUFFERS + 1] << 8;
        if (r->missing == 0 || r->missing > NET_FRAME_MAX / (b->room - r->header) + 2)
            r->bad = true, r->missing = 1;
    }
}

enum net_received net_receive(struct net_receiver *r, struct net_buffer *b, uint32_t written)
{
    bool first = r->missing == 0;
    written = min(written, b->room);
    if (first)
        begin(r, b, written);
    b->next = NULL;
    b->start = first ? min(r->header, written) : 0;
    b->length = written - b->start;
    r->total += b->length;
    if (!b->length || r->total > NET_FRAME_MAX)
        r->bad = true;
    if (r->last)
        r->last->next = b;
    else
        r->first = b;
    r->last = b;
    if (--r->missing)
        return NET_MORE;
    return r->bad || r->total < NET_FRAME_MIN ? NET_DROP : NET_FRAME;
}

struct net_buffer *net_receive_reset(struct net_receiver *r)
{
    struct net_buffer *list = r->missing ? r->first : NULL;
    r->first = r->last = NULL;
    r->missing = 0;
    return list;
}
