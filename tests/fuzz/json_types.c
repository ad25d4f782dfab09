/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parses a document of any type. The first octet of the input chooses the type. The other octets are the
 * document. */
#define INCLUDE_TYPES "json_types.inc"
#include "round_trip.h"

#include "bytes.h"
#include "world.h"

enum { TYPES = sizeof(types) / sizeof(*types) - 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes b = {data, data + size};
    const type *t = &types[next_below(&b, TYPES)];
    const size_t length = (size_t)(b.end - b.at);
    char *json = malloc(length + 1), *message;
    memcpy(json, b.at, length);
    json[length] = '\0';
    char *text = round_trip(t, json, &message);
    CHECK(text || message[0]);
    free(text);
    free(message);
    free(json);
    return 0;
}
