/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "hvm.h"

#include "core.h"

#include <stdlib.h>

libxl_domid hvm_guest(scene *s)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    config.c_info.type = LIBXL_DOMAIN_TYPE_HVM;
    config.c_info.name = strdup("hvm");
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_HVM);
    config.b_info.max_memkb = config.b_info.target_memkb = 32 << 10;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

bool hvm_has(scene *s, libxl_domid domid, const char *id)
{
    char *answer = NULL;
    assert_int_equal(RUN(s, libxl_domain_qmp(s->ctx, domid, "query-pci", NULL, &answer, how)), 0);
    const bool found = strstr(answer, id) != NULL;
    free(answer);
    return found;
}
