/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a text as a file in xl's format. The first octet of the input chooses how the text is read. A
 * configuration that is written as a file and read again must be unchanged. */
#include <libxl.h>

#include "bytes.h"
#include "world.h"

static void write_and_read(const libxl_domain_config *config)
{
    libxl_domain_config again;
    char *text = NULL;
    if (libxl_domain_config_to_xl(config, &text)) {
        CHECK(!text && libxl_error_message()[0]);
        return;
    }
    CHECK(!libxl_domain_config_from_xl(&again, text, strlen(text), "again", NULL, NULL, 0, NULL));
    libxl_domain_config_dispose(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes b = {data, data + size};
    const unsigned mode = (unsigned)next_below(&b, 4);
    const size_t length = (size_t)(b.end - b.at);
    /* There is no terminating zero, because the reader must not rely on one. */
    char *text = malloc(length + 1);
    const unsigned flags = mode & 1 ? LIBXL_XL_LENIENT : 0;
    libxl_xl_messages messages;
    memcpy(text, b.at, length);
    char *exact = realloc(text, length ? length : 1);
    if (mode < 3) {
        libxl_domain_config config;
        const int rc =
            libxl_domain_config_from_xl(&config, exact, length, NULL, NULL, NULL, flags, &messages);
        CHECK(!rc || libxl_error_message()[0]);
        if (!rc)
            write_and_read(&config);
        libxl_domain_config_dispose(&config);
    } else {
        libxl_xl_host host;
        libxl_xl_host_from_conf(&host, exact, length, NULL, 0, &messages);
        libxl_xl_host_dispose(&host);
    }
    for (int i = 0; i < messages.num_messages; i++)
        CHECK(messages.messages[i].text[0]);
    libxl_xl_messages_dispose(&messages);
    free(exact);
    return 0;
}
