/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An EFI program for HVM guests, which OVMF loads from a disk or from a CD. It prints a line on the screen and
 * on the first serial port. When the power button is pressed, it prints a second line on the serial port and
 * powers the machine off by ACPI, as sector.S does.
 */
#include <stdint.h>

#define EFI __attribute__((ms_abi))

enum { SERIAL_DATA = 0x3f8, SERIAL_STATUS = 0x3fd, SERIAL_EMPTY = 0x20 };
/* The ports of Xen's ACPI tables: see sector.S. */
enum { PM1_STATUS = 0xb000, POWER_BUTTON = 0x100, PM1_CONTROL = 0xb004, POWER_OFF = 0x2000 };

/* The parts of the tables that are used (UEFI specification 2.10, 4.3, 4.4, 12.4). */
struct text_output {
    void *reset;
    uint64_t(EFI *output_string)(struct text_output *self, const uint16_t *text);
};
struct boot_services {
    char header[24];
    void *others[28];
    uint64_t(EFI *stall)(uint64_t microseconds);
    uint64_t(EFI *set_watchdog_timer)(uint64_t seconds, uint64_t code, uint64_t size, const uint16_t *data);
};
struct system_table {
    char header[24];
    void *vendor;
    uint64_t revision;
    void *in_handle, *in, *out_handle;
    struct text_output *out;
    void *error_handle, *error, *runtime_services;
    struct boot_services *boot_services;
};

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void print(const char *text)
{
    for (; *text; text++) {
        while (!(in8(SERIAL_STATUS) & SERIAL_EMPTY))
            continue;
        __asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)SERIAL_DATA));
    }
}

uint64_t EFI efi_main(void *image, struct system_table *system);
uint64_t EFI efi_main(void *image, struct system_table *system)
{
    (void)image;
    system->boot_services->set_watchdog_timer(0, 0, 0, 0);
    system->out->output_string(system->out, u"efi: booted\r\n");
    print("efi: booted\r\n");
    while (!(in16(PM1_STATUS) & POWER_BUTTON))
        system->boot_services->stall(50000);
    print("efi: power button\r\n");
    __asm__ volatile("outw %0, %1" : : "a"((uint16_t)POWER_OFF), "Nd"((uint16_t)PM1_CONTROL));
    for (;;)
        __asm__ volatile("hlt");
}
