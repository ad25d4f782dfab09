/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions that add the words of a CPUID policy to a list (libxl_host.h). The words are read by the
 * reader of xl's files. Owns nothing. Any thread may call these functions. They need no context.
 */
#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpuid_policy.h"

/* Copies the characters of `from`, except 'x', which means no change. Returns whether `to` is not NULL. */
static bool merge(char *to, const char *from, size_t bits)
{
    for (size_t i = 0; to && i < bits; i++)
        if (from[i] != 'x')
            to[i] = from[i];
    return to;
}

/* Adds the changes of one list to another. Returns whether there was memory. */
static bool add(libxl_cpuid_policy_list *to, const libxl_cpuid_policy_list *from)
{
    bool done = true;
    for (uint32_t i = 0; i < libxl__cpuid_leaves(from); i++) {
        const libxl__cpuid_leaf leaf = libxl__cpuid_leaf_at(from, i);
        for (unsigned reg = 0; reg < 4; reg++)
            if (leaf.registers[reg])
                done = done && merge(libxl__cpuid_register(to, leaf.leaf, leaf.subleaf, reg),
                                     leaf.registers[reg], 32);
    }
    for (uint32_t i = 0; i < libxl__cpuid_msrs(from); i++) {
        uint32_t number;
        const char *bits = libxl__cpuid_msr_at(from, i, &number);
        done = done && merge(libxl__cpuid_msr(to, number), bits, 64);
    }
    return done;
}

/*
 * Reads `before`, `str` and `after`, joined, as the value of xl's key cpuid. Adds the policy to `cpuid`. Returns 0 or
 * an error.
 */
static int parse(libxl_cpuid_policy_list *cpuid, const char *before, const char *str, const char *after)
{
    char text[1024];
    libxl_domain_config config;
    if (strpbrk(str, "\"'\\\n#"))
        return libxl__refuse(ERROR_INVAL, "str: not a CPUID policy");
    /* A configuration needs a name and a kernel. Neither is used. */
    const int length =
        snprintf(text, sizeof(text), "name = \"n\"\nkernel = \"/k\"\ncpuid = %s%s%s\n", before, str, after);
    if (length >= (int)sizeof(text))
        return libxl__refuse(ERROR_INVAL, "str: too long");
    int rc = libxl_domain_config_from_xl(&config, text, (size_t)length, "str", NULL, NULL, 0, NULL);
    if (!rc && !libxl_cpuid_policy_list_length(&config.b_info.cpuid))
        rc = libxl__refuse(ERROR_INVAL, "str: not a CPUID policy");
    if (!rc && !add(cpuid, &config.b_info.cpuid))
        rc = libxl__refuse_in(ERROR_NOMEM, "adding a CPUID policy");
    libxl_domain_config_dispose(&config);
    return rc;
}

enum { NO_VALUE = 1, UNKNOWN_NAME = 2, WRONG_VALUE = 3 };

int libxl_cpuid_parse_config(libxl_cpuid_policy_list *cpuid, const char *str)
{
    if (!strchr(str, '='))
        return NO_VALUE;
    return parse(cpuid, "\"host,", str, "\"") ? UNKNOWN_NAME : 0;
}

int libxl_cpuid_parse_config_xend(libxl_cpuid_policy_list *cpuid, const char *str)
{
    if (!strchr(str, ':'))
        return NO_VALUE;
    return parse(cpuid, "[ \"", str, "\" ]") ? WRONG_VALUE : 0;
}
