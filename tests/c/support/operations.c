/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "operations.h"

extern const struct operation_family device_operations, domain_operations, host_operations, pci_operations,
    running_operations, save_operations, store_operations;

static const struct operation_family *const families[] = {
    &device_operations,  &domain_operations, &host_operations,  &pci_operations,
    &running_operations, &save_operations,   &store_operations,
};

const struct operation_row *operations_row(unsigned operation, const char *phase)
{
    for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const struct operation_row *row = &families[f]->rows[i];
            if (row->operation == operation &&
                (phase ? row->phase && strcmp(row->phase, phase) == 0 : !row->phase))
                return row;
        }
    return NULL;
}
