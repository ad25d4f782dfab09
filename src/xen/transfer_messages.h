/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The messages between the library and its program aioxen-transfer, which saves or restores one domain. Both
 * sides include this file, and both are of the same release.
 *
 * Each message is one datagram of a SOCK_SEQPACKET socket. The program's descriptors are: 0 the socket, 1 the stream, 2
 * a file in memory, called the head. When a domain is saved, the head contains the octets that the program writes
 * before the stream. When a domain is restored, the program writes the octets that it has read before the stream into
 * the head.
 *
 * The program's arguments are `save DOMID FLAGS RATE MODEL LEVEL THREADS`:
 *
 *   FLAGS    the flags of xc_domain_save
 *   RATE     the number of octets that may be sent in a second while the guest runs; 0: no limit
 *   MODEL    1 if the domain has a device model, else 0
 *   LEVEL    the level of zstd with which the stream is compressed; 0: it is not compressed
 *   THREADS  the number of threads that compress
 *
 * or `restore HEAD`: HEAD is 1 if the stream begins with xl's header, else 0.
 */
#ifndef LIBXL__TRANSFER_MESSAGES_H
#define LIBXL__TRANSFER_MESSAGES_H

#include <stdint.h>

/*
 * The kinds of messages: the name, the side that sends the message, and the meaning of its members. Members that are
 * not named are 0.
 */
#define LIBXL__TRANSFER_MESSAGES(X)                                                                          \
    X(LOG, program, "a message of libxenguest: level is value, the text is text")                            \
    X(PROGRESS, program, "value: the round of the save, from 0; numbers: done, total, in pages")             \
    X(ASKED, program, "the stream begins with a request to receive a guest")                                 \
    X(HEAD, program,                                                                                         \
      "the header was read: the head has numbers[0] octets of JSON; value: 1: they are a request to "        \
      "receive a "                                                                                           \
      "guest, which is answered before the saved domain is sent")                                            \
    X(ROUND, program,                                                                                        \
      "a round of a live save begins or has ended; value: the round, from 0; numbers: the pages sent so "    \
      "far, "                                                                                                \
      "the dirty pages, or UINT64_MAX if they are not known; POLICY answers")                                \
    X(SUSPEND, program, "the guest must be suspended now; SUSPENDED answers")                                \
    X(MODEL, program,                                                                                        \
      "the head has the state of the device model, of numbers[0] octets, and then its nodes, of numbers[1] " \
      "octets: keys and values, each with a terminating zero")                                               \
    X(RESULT, program,                                                                                       \
      "the last message; value: libxl__transfer_end; numbers: errno, frame of the xenstore ring, "           \
      "frame of the console ring; text: the reason of a failure")                                            \
    X(SUSPENDED, library, "value: 1 if the guest is suspended, 0 if it cannot be")                           \
    X(POLICY, library, "value: 0: the copying goes on, 1: the guest is to be suspended now")                 \
    X(BUILT, library,                                                                                        \
      "the domain to restore into exists; numbers: domid, xenstore's port, the console's port, 1: it has a " \
      "device model; value: 1: a PV guest")

typedef enum libxl__transfer_kind {
#define LIBXL__KIND(name, side, text) LIBXL__TRANSFER_##name,
    LIBXL__TRANSFER_MESSAGES(LIBXL__KIND)
#undef LIBXL__KIND
} libxl__transfer_kind;

/* How the program has ended. */
typedef enum libxl__transfer_end {
    LIBXL__TRANSFER_OK,
    LIBXL__TRANSFER_BAD_STREAM, /* the stream is not a saved domain, is cut off, or is corrupt */
    LIBXL__TRANSFER_IO,         /* the stream cannot be read or written; numbers[0] is the errno */
    LIBXL__TRANSFER_XEN,        /* libxenguest has failed; numbers[0] is the errno, or 0 */
    LIBXL__TRANSFER_NO_MODEL,   /* the device model has not carried out a command; text says why */
    LIBXL__TRANSFER_STOPPED,    /* the library has asked the program to end (SIGTERM) */
} libxl__transfer_end;

enum {
    LIBXL__TRANSFER_TEXT = 208,
    LIBXL__TRANSFER_LONGEST_HEAD = 1 << 20,
    /* The greatest size of QEMU's state, in octets. With few devices it is about 200 kB. */
    LIBXL__TRANSFER_LONGEST_MODEL = 64 << 20,
    LIBXL__TRANSFER_LONGEST_NODES = 64 << 10,
};

/* The socket of the monitor of a domain's QEMU; a format, whose argument is the domid. Other toolstacks use it, too. */
#define LIBXL__MONITOR_SOCKET "/var/run/xen/qmp-libxl-%u"

typedef struct libxl__transfer_message {
    uint32_t kind; /* libxl__transfer_kind */
    int32_t value;
    uint64_t numbers[4];
    char text[LIBXL__TRANSFER_TEXT];
} libxl__transfer_message;

/* The node of the mark of a save (save_mark.h); a format, whose argument is the domid. */
#define LIBXL__SAVE_MARK "/libxl/%u/aioxen-save"

/*
 * xl's header, in the machine's byte order. A file of `xl save` begins with it. The length of the JSON and the
 * JSON with its terminating zero follow it, and then libxl's stream.
 */
typedef struct libxl__xl_header {
    char magic[32];
    uint32_t byte_order, mandatory_flags, optional_flags;
    uint32_t optional_size; /* the number of octets between the header and libxl's stream */
} libxl__xl_header;

#define LIBXL__XL_MAGIC      "Xen saved domain, xl format\n \0 \r"
#define LIBXL__XL_BYTE_ORDER 0x01020304u
/*
 * The magic of the header of a request to receive a guest (migrate_ask.h). This header has no mandatory flags. Only
 * JSON follows it, without a terminating zero.
 */
#define LIBXL__REQUEST_MAGIC "aioxen migration, request 1\n \0 \r"
/*
 * The mandatory flags: the configuration is JSON, and libxl's stream is of version 2. xl has no other mandatory
 * flags.
 */
enum { LIBXL__XL_JSON = 1, LIBXL__XL_STREAM_2 = 2, LIBXL__XL_FLAGS = LIBXL__XL_JSON | LIBXL__XL_STREAM_2 };

#endif
