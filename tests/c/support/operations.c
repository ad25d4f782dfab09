/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "operations.h"

extern const struct operation_family device_operations, domain_operations, host_operations, pci_operations,
    running_operations, save_operations, store_operations, usb_operations;

static const struct operation_family *const families[] = {
    &device_operations,  &domain_operations, &host_operations,  &pci_operations,
    &running_operations, &save_operations,   &store_operations, &usb_operations,
};

/* Returns whether the row is for this phase. Operations may share phases, so the phase's table and name are
 * compared. */
static bool has_phase(const struct operation_row *row, const libxl__phase *phase)
{
    const libxl__phases *phases = libxl__operations[row->operation].phases;
    return row->phase && phase >= phases->list && phase < phases->list + phases->count &&
           strcmp(phase->name, row->phase) == 0;
}

bool operations_phase_waits(const libxl__phase *phase, bool hvm)
{
    for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++)
        for (size_t i = 0; i < families[f]->count; i++) {
            const struct operation_row *row = &families[f]->rows[i];
            if ((row->idle || (hvm && row->idle_hvm)) && has_phase(row, phase))
                return false;
        }
    return phase->poll;
}

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
