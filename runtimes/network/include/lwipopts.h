/* lwipopts.h - how this runtime uses lwIP 2.1.3: the raw API without threads (NO_SYS), memory from the kernel
 * heap, big windows, its timers driven by ours (network/ticks.c).
 *
 * Source of the options: lwIP's own include/lwip/opt.h. Only what differs from its defaults is here.
 */
#ifndef UNIKIT_LWIPOPTS_H
#define UNIKIT_LWIPOPTS_H

/* The kernel is never re-entered: no locks, no threads, no mailboxes. */
#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_TIMERS          1
#define LWIP_TIMERS_CUSTOM   1

/* Memory: every pool and buffer is a piece of the kernel heap, so nothing is reserved before it is used and
 * nothing but memory limits the number of connections. */
#define MEM_ALIGNMENT            16
#define MEM_LIBC_MALLOC          1
#define MEMP_MEM_MALLOC          1
#define mem_clib_malloc          kmalloc
#define mem_clib_free            kfree
#define mem_clib_calloc(n, s)    kzalloc((size_t)(n) * (s))
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_POOL_BUFSIZE        2048
/* Reassembly is the one place where strangers make us keep memory: at most this many fragments at a time. */
#define MEMP_NUM_FRAG_PBUF 256
#define MEMP_NUM_REASSDATA 32
#define IP_REASS_MAX_PBUFS 256
#define MEMP_NUM_ND6_QUEUE 64
#define ARP_QUEUEING       1
#define ARP_QUEUE_LEN      8

/* Both families, addresses configured by DHCP and by router advertisements. */
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define LWIP_IPV6_NUM_ADDRESSES        4
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS  1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT  1
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_MLD                  1
#define LWIP_IPV6_SCOPES               1
#define LWIP_IPV6_FRAG                 1
#define LWIP_IPV6_REASS                1
#define IPV6_FRAG_COPYHEADER           1 /* pointers are 64 bits: the helper does not fit over the header */
#define LWIP_ND6_QUEUEING              1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 0
#define LWIP_IGMP                      1
#define LWIP_MULTICAST_TX_OPTIONS      1
#define LWIP_DHCP                      1
#define DHCP_DOES_ARP_CHECK            0 /* would hold an address back for seconds */
#define LWIP_DHCP_CHECK_LINK_UP        0
#define LWIP_DHCP_GET_NTP_SRV          0
#define LWIP_DNS                       1 /* only for the list of servers that DHCP fills (network/dhcp.c) */
#define DNS_MAX_SERVERS                3
#define DNS_TABLE_SIZE                 1
#define LWIP_DNS_SECURE                0
#define LWIP_RAW                       1
#define LWIP_UDP                       1
#define LWIP_UDPLITE                   1
#define LWIP_TCP                       1
#define LWIP_NETBUF_RECVINFO           1
#define IP_FORWARD                     0
#define IP_SOF_BROADCAST               1
#define IP_SOF_BROADCAST_RECV          0
#define IP_DEFAULT_TTL                 64
#define LWIP_ICMP6_HL                  64
#define LWIP_BROADCAST_PING            0
#define LWIP_MULTICAST_PING            0

/* Interfaces. Loopback packets queue up and are handed in when the stack has returned (network_settle). */
#define LWIP_ETHERNET 1
#define LWIP_ARP      1
#define ETH_PAD_SIZE  0
/* Room for virtio's header, so that a frame and its header are one piece (virtio/net.c). */
#define PBUF_LINK_ENCAPSULATION_HLEN   12
#define LWIP_HAVE_LOOPIF               1
#define LWIP_NETIF_LOOPBACK            1
#define LWIP_LOOPBACK_MAX_PBUFS        0
#define LWIP_NETIF_HOSTNAME            1
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 0
#define LWIP_NETIF_HWADDRHINT          1
#define LWIP_NETIF_TX_SINGLE_PBUF      0
#define LWIP_SINGLE_NETIF              0
#define LWIP_CHECKSUM_CTRL_PER_NETIF   1
/* Data is summed while it is copied from the user: one pass over the bytes (network/checksum.c). */
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM           network_checksum
#define LWIP_CHKSUM_COPY      network_checksum_copy

/* TCP. Windows need scaling above 64 KiB; the limits below are the most a connection may use, network/tcp.c
 * gives out less while memory is short. */
#define TCP_MSS                    8960 /* jumbo frames; the interface's MTU decides */
#define LWIP_WND_SCALE             1
#define TCP_RCV_SCALE              5
#define TCP_WND                    (512 * 1024)
#define TCP_SND_BUF                (1024 * 1024)
#define TCP_SND_QUEUELEN           16384
#define TCP_SNDLOWAT               2048
#define TCP_SNDQUEUELOWAT          1024
#define TCP_WND_UPDATE_THRESHOLD   (16 * 1024)
#define LWIP_TCP_SACK_OUT          1
#define LWIP_TCP_MAX_SACK_NUM      4
#define TCP_QUEUE_OOSEQ            1
#define TCP_OOSEQ_MAX_BYTES        TCP_WND
#define TCP_OOSEQ_MAX_PBUFS        512
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_TCP_TIMESTAMPS        0
#define LWIP_TCP_KEEPALIVE         1
#define LWIP_TCP_PCB_NUM_EXT_ARGS  1
#define TCP_LISTEN_BACKLOG         0 /* its counters are 8 bits wide: network/tcp_listen.c keeps its own */
#define SO_REUSE                   1
#define TCP_OVERSIZE               TCP_MSS
/* 100 ms for delayed acknowledgements, 200 ms steps for retransmission (minimum 600 ms). */
#define TCP_TMR_INTERVAL  100
#define TCP_MSL           15000UL
#define TCP_MAXRTX        12
#define TCP_SYNMAXRTX     6
#define LWIP_TCP_RTO_TIME 1000 /* RFC 6298, 2.1 */

#define LWIP_STATS         0
#define LWIP_STATS_DISPLAY 0
#define LWIP_PERF          0

/* Asserts: states that lwIP believes impossible. They are compiled for tests (where fuzzers hunt for them),
 * not for images: a packet must not stop a service. */
#if !defined(UNIKIT_HOST) && !defined(UNIKIT_DEBUG)
#define LWIP_NOASSERT
#endif

#define LWIP_HOOK_FILENAME "lwip_hooks.h"

#endif
